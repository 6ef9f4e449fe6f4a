"""Whole studies of the swarm: their numbers, their pictures, and that they go on from what was kept."""

import io
from pathlib import Path

import orjson
import pytest
from PIL import Image

from components.swarm import keeping, live
from components.swarm.order import Order
from components.swarm.pictures import LONGEST_ALT, pictures_of
from components.swarm.results import result_of
from components.swarm.study import Study
from wire.work import LARGEST_RESULT

SMALL = Order(bots="800", size="128", seeds="1..3")
LARGEST_PICTURE = 100_000


def done(study: Study) -> Study:
    while not study.is_over:
        study.advance(0.01)
    return study


def studied(order: Order) -> Study:
    return done(Study(order, threads=1))


def told(study: Study) -> dict[str, object]:
    """What it came to, but for how long that took."""
    result = result_of(study)
    return {name: each for name, each in result.items() if name not in ("seconds", "steps_per_second")}


def test_a_study_comes_to_numbers_with_their_spread() -> None:
    result = result_of(studied(SMALL))
    assert result["simulated"] is True
    assert result["order"] == {"bots": "800", "size": "128"}
    assert result["steps_min"] <= result["steps"] <= result["steps_max"]
    assert result["seeds_that_reached_it"] == 3
    assert result["bound_steps"] == pytest.approx(result["damaged_at_start"] / 800, rel=0.01)
    assert result["steps"] > 10 * result["bound_steps"]
    assert 0.7 < result["ratio_to_law"] < 1.3
    assert result["repaired"] + result["damaged_at_end"] == pytest.approx(result["damaged_at_start"], rel=0.05)
    assert result["curve_unrepaired"][0] == 1
    assert result["curve_unrepaired"][-1] <= 0.01


@pytest.mark.parametrize(
    "order",
    [Order(bots="200..1e3/4", size="128", intelligence="all", seeds="1..5"), Order(bots="5", size="128", seeds="1")],
    ids=["many cases", "a long run"],
)
def test_the_result_fits_into_one_answer(order: Order) -> None:
    assert len(orjson.dumps(result_of(studied(order)))) <= LARGEST_RESULT


def test_who_never_comes_to_the_end_is_ended_and_told() -> None:
    result = result_of(studied(Order(bots="800", size="128", steps="20", failures="5%")))
    assert (result["seeds_that_reached_it"], result["steps"], result["ratio_to_law"]) == (0, None, None)
    assert result["bots_lost"] > 300


def test_all_bots_lost_is_an_end() -> None:
    study = studied(Order(bots="50", size="128", failures="30%", seeds="4"))
    assert (study.outcomes[0].reached, study.outcomes[0].bots_left) == (None, 0)


@pytest.mark.parametrize("blocks", [0, 1, 9, 40])
def test_a_study_that_was_kept_comes_to_the_same_end(tmp_path: Path, blocks: int) -> None:
    whole, part = Study(SMALL, threads=1), Study(SMALL, threads=1)
    done(whole)
    for _ in range(blocks):
        part.advance(0)
    keeping.save(tmp_path / "kept", *part.state())
    kept = keeping.load(tmp_path / "kept")
    assert kept is not None
    assert told(done(Study.restored(*kept, threads=2))) == told(whole)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_what_was_kept_and_cannot_be_read_is_told(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    assert keeping.load(place) is None
    for content in (b"", b"PK\x03\x04 and nothing more", b"\x93NUMPY"):
        place.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            keeping.load(place)
    with pytest.raises(ValueError, match="Another version"):
        Study.restored({"form": 0}, {}, threads=1)


@pytest.mark.parametrize(
    "order",
    [SMALL, Order(bots="100..800/9", size="128"), Order(bots="800", intelligence="all", pattern="clusters")],
    ids=["one", "sweep", "intelligences"],
)
def test_a_study_becomes_two_small_pictures_that_say_they_are_simulated(order: Order) -> None:
    pictures = pictures_of(studied(order))
    assert len(pictures) == 2
    for alt, png in pictures:
        assert "simulated" in alt
        assert len(alt) <= LONGEST_ALT
        assert len(png) < LARGEST_PICTURE
        with Image.open(io.BytesIO(png)) as image:
            assert image.format == "PNG"
            assert image.width == 880
            assert 400 < image.height < 600
            assert len(image.convert("RGB").getcolors(1 << 16) or ()) > 20


def test_what_was_changed_on_the_way_is_in_the_numbers_and_in_the_picture() -> None:
    study, usual = Study(SMALL, threads=1), Study(SMALL, threads=1)
    for each in (study, usual):
        each.advance(0)
        each.advance(0)
    assert study.trial is not None
    live.collapse("south").made(study.trial)
    step = study.trial.swarm.step
    (mark,) = result_of(done(study))["marks"]
    assert mark[0] == step
    assert mark[1].startswith("collapse south: ")
    assert pictures_of(study)[0][1] != pictures_of(done(usual))[0][1]


def test_it_says_how_far_it_is_in_a_line() -> None:
    study = Study(SMALL, threads=1)
    assert (study.progress, study.message) == (0, "The lattice is being made.")
    study.advance(0)
    far = [study.progress]
    while not study.is_over:
        study.advance(0)
        far.append(study.progress)
        if study.trial is not None:
            assert study.message.startswith("8.0e2 bots · step ")
            assert len(study.message) < 100
    assert far == sorted(far)
    assert far[-1] == 1
