"""The class's own hub with a door that is open to simulated students, for load_test.py alone.

Any name with any password comes in, and every server runs as the account that started the
test: never serve people with it.
"""

import os
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

# By its whole name: a file that is not found would be passed over in silence.
load_subconfig(str(Path(__file__).resolve().with_name("jupyterhub_config.py")))
c = get_config()

folder = Path(os.environ["LOAD_TEST_FOLDER"])
c.JupyterHub.bind_url = os.environ["LOAD_TEST_ADDRESS"]
c.JupyterHub.hub_port = int(os.environ["LOAD_TEST_HUB_PORT"])
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.cleanup_servers = True  # nothing of the test stays behind

c.ConfigurableHTTPProxy.command = [os.environ["LOAD_TEST_PROXY"]]
c.ConfigurableHTTPProxy.api_url = os.environ["LOAD_TEST_PROXY_API"]


class LimitedInOneAccount(c.JupyterHub.spawner_class, SimpleLocalProcessSpawner):
    """The class's spawner, limit and all, without an account for each student."""


c.JupyterHub.spawner_class = LimitedInOneAccount
c.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/{{username}}"
if os.geteuid() == 0:  # in a container, say
    c.Spawner.args = [*c.Spawner.args, "--allow-root"]
