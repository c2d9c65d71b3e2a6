"""The one training loop: minima, turns of several players, seeds, and how it stops."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.models import Player, fit, play

QUIET = {"progress": False}


def test_a_learning_rate_that_is_too_large():
    w = nn.Parameter(torch.ones(()))
    with pytest.raises(RuntimeError, match=r"smaller learning rate than 1e\+30"):
        fit([w], lambda x: (w**4).exp(), torch.zeros(4), learning_rate=1e30, **QUIET)


def test_nothing_to_fit():
    with pytest.raises(ValueError, match="data has no rows"):
        fit([nn.Parameter(torch.ones(()))], torch.sum, torch.zeros(0, 3), **QUIET)


def test_fit_finds_a_minimum_and_reports_mean_losses():
    data = torch.randn(100, 3)
    centre = nn.Parameter(torch.zeros(3))
    untouched = nn.Parameter(torch.ones(3))
    history = fit(
        [centre],
        lambda x: ((x - centre * untouched) ** 2).sum(1).mean(),
        data,
        epochs=150,
        learning_rate=0.05,
        batch_size=30,  # 100 is no multiple of it: the last batch weighs less
        **QUIET,
    )
    assert_close(centre.detach(), data.mean(0), rtol=0, atol=0.2)
    assert (untouched == 1).all()
    assert abs(history[-1] / data.var(0, correction=0).sum() - 1) < 0.05


@pytest.mark.parametrize("progress", [True, False])
def test_the_progress_bar_can_be_hidden(progress, capsys):
    w = nn.Parameter(torch.ones(()))
    fit([w], lambda x: w**2, torch.zeros(4), epochs=2, progress=progress, description="descent")
    assert ("descent" in capsys.readouterr().err) == progress


def test_nan_in_the_data_stops_it():
    w = nn.Parameter(torch.ones(3))
    spoilt = torch.ones(64, 3)
    spoilt[7, 2] = torch.nan
    with pytest.raises(RuntimeError, match=r"loss became nan in epoch 1.*look for NaN in the data"):
        fit([w], lambda x: ((x - w) ** 2).mean(), spoilt, epochs=2, **QUIET)
    assert torch.isfinite(w).all()  # what was learned before is not spoilt


@pytest.mark.parametrize("bad", [{"epochs": -1}, {"batch_size": 0}])
def test_epochs_and_batches_are_counted(bad):
    with pytest.raises(ValueError, match="epochs must be at least 0 and batch_size at least 1"):
        fit([nn.Parameter(torch.ones(()))], torch.sum, torch.zeros(4, 3), **bad, **QUIET)


def test_no_epoch_changes_nothing():
    w = nn.Parameter(torch.ones(()))
    assert fit([w], lambda x: w**2, torch.zeros(4), epochs=0, **QUIET) == []
    assert w == 1


def test_every_batch_is_shuffled_anew_and_complete():
    seen = []

    def loss(batch):
        seen.append(batch)
        return w**2

    w = nn.Parameter(torch.ones(()))
    fit([w], loss, torch.arange(10), epochs=2, batch_size=4, **QUIET)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(10))
    assert not torch.equal(first, second)


def test_another_optimiser_and_groups_with_their_own_rate():
    fast, slow = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
    groups = [{"params": [fast], "lr": 0.5}, {"params": [slow]}]

    def loss(x):
        return ((fast - x) ** 2 + (slow - x) ** 2).mean()

    fit(
        groups, loss, torch.ones(1), epochs=1, optimiser=torch.optim.SGD, learning_rate=0.1, **QUIET
    )
    assert_close(torch.stack([fast, slow]).detach(), torch.tensor([1.0, 0.2]))


def test_quasi_newton_steps_go_through_the_same_loop():
    w = nn.Parameter(torch.tensor([-1.0, 1.0]).double())

    def rosenbrock(_):
        return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2

    def optimiser(parameters, lr):
        return torch.optim.LBFGS(parameters, lr, line_search_fn="strong_wolfe")

    fit([w], rosenbrock, torch.zeros(1), epochs=5, learning_rate=1.0, optimiser=optimiser, **QUIET)
    assert_close(w.detach(), torch.ones(2).double(), rtol=0, atol=1e-4)


def test_players_change_their_own_parameters_alone_and_take_turns():
    turns = []

    def loss(name, w):
        def value(batch):
            turns.append(name)
            return (x * y - w) ** 2

        return value

    x, y = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    sgd = torch.optim.SGD
    players = {"x": Player([x], loss("x", 1.0), sgd, 3), "y": Player([y], loss("y", 2.0), sgd)}
    histories = play(players, torch.zeros(4), epochs=2, batch_size=2, learning_rate=0.0, **QUIET)
    assert turns == ["x", "x", "x", "y"] * 4
    assert histories == {"x": [25.0, 25.0], "y": [16.0, 16.0]}
    play({"x": players["x"]}, torch.zeros(4), epochs=1, learning_rate=1e-3, **QUIET)
    assert x != 2 and y == 3


def test_a_player_that_diverges_is_named():
    w = nn.Parameter(torch.ones(()))
    players = {
        "patient": Player([w], lambda _: w**2),
        "critic": Player([nn.Parameter(torch.ones(()))], lambda _: w * torch.inf),
    }
    with pytest.raises(RuntimeError, match="the loss of the critic became inf in epoch 1"):
        play(players, torch.zeros(2), **QUIET)
