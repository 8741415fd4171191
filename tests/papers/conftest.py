"""The data that the papers' trainers are given in tests, made once."""

import guided
import kinematic
import people
import pictured
import pytest
import templated


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """Few frames of each role of people: role -> part -> Poses."""
    return pictured.load(people.write_collection(tmp_path_factory.mktemp("few")))


@pytest.fixture(scope="session")
def hand(tmp_path_factory):
    """Few frames of role hands."""
    return pictured.load_hands(tmp_path_factory.mktemp("hand"))


@pytest.fixture(scope="session")
def filmed(few, tmp_path_factory):
    """Few frames of each role that a method for single pictures and web video reads."""
    with kinematic.footage_drawn_once(), guided.frames_drawn_once():
        yield few | kinematic.load(tmp_path_factory.mktemp("filmed"))


@pytest.fixture(scope="session")
def framed(few):
    """Few frames of people, whose pictures the trainers of the chapter on a warped template share."""
    with templated.frames_drawn_once():
        yield few
