"""A JupyterHub for a class, on one Linux machine: `jupyterhub -f classroom/jupyterhub_config.py`.

The course is shared and read-only, its environment too. Each student works on a copy of the
chapters in the own home folder. The book's page on running a hub tells the steps.
"""

import resource
import sys
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner

CLASSROOM = Path(__file__).resolve().parent

# What students are given. For a graded class, the hand-outs without solutions: `release`.
COURSE = CLASSROOM.parent / "course"
FOLDER = "geometry-course"  # its name in a student's home

c = get_config()

# Passwords must not cross a network in the clear: a web server with a certificate stands in
# front, passes web sockets on, and is the only one that reaches this address.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# Who may come in: accounts of this machine that are in one of two Unix groups, so that the
# class list is kept where the machine keeps its accounts, and not here.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"geometry-students", "geometry-teachers"}
c.PAMAuthenticator.admin_groups = {"geometry-teachers"}


class LimitedProcessSpawner(LocalProcessSpawner):
    """Runs a server as the student's own account, within `mem_limit`.

    JupyterHub's own local spawner only tells the server of the limit. Here the system keeps
    it for each process, so a kernel that asks for more gets a MemoryError and the machine
    stays up. Where systemd, Docker or Kubernetes starts the servers, it keeps the limit.
    """

    def make_preexec_fn(self, name):
        become_student = super().make_preexec_fn(name)
        limit = self.mem_limit or resource.RLIM_INFINITY

        def preexec():
            become_student()
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

        return preexec


c.JupyterHub.spawner_class = LimitedProcessSpawner
c.Spawner.mem_limit = "2G"  # a chapter that trains a model stays well below

# Copies what is missing, as the student, and becomes the single-user server.
c.Spawner.cmd = [sys.executable, str(CLASSROOM / "start_student.py"), str(COURSE), FOLDER]
c.Spawner.default_url = f"/lab/tree/{FOLDER}"

# A thread pool in every kernel would only make the class wait for one another.
c.Spawner.environment = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

# At the start of a lesson all servers start at once, and each waits for a core.
c.Spawner.start_timeout = 180
c.Spawner.http_timeout = 180

c.Spawner.args = [
    # A kernel listens on ports of the machine, and whoever has an account could listen, too.
    "--MappingKernelManager.transport_encryption=required",
    # It waits for a core like the rest: its first answer may take longer than the usual minute.
    "--MappingKernelManager.kernel_info_timeout=180",
    # When its notebook is closed it goes on, and most of the memory is in kernels.
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--MappingKernelManager.cull_interval=300",
]

# Servers that nobody has used for an hour are stopped. What was saved stays.
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    }
]

# Restarting the hub, for a new setting say, must not stop a lesson.
c.JupyterHub.cleanup_servers = False
