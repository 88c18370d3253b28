"""The small model in training: outputs, the assigner's choices, every loss term and the gradients, memory held."""

import pytest

from mmdet.parity import training as golden_train


@pytest.fixture
def arrays(golden, size):
    return golden.train[size]


@pytest.fixture
def notes(golden, size):
    return golden.notes[size]["train"]


def test_training_outputs_with_the_memory_held(small_model, arrays, assert_all):
    assert_all(golden_train.output_checks(small_model, arrays))


def test_assigner_choices(small_model, arrays, assert_all):
    assert_all(golden_train.assigner_checks(small_model, arrays))


def test_every_loss_term(small_model, arrays, notes, assert_all):
    assert_all(golden_train.loss_checks(small_model, arrays, notes))


def test_gradients_with_the_recorded_memory(small_model, arrays, notes, assert_all):
    assert_all(golden_train.gradient_checks(small_model, arrays, notes))


def test_parameters_without_gradient_are_those_that_are_frozen(small_model, arrays, notes, assert_all):
    assert_all(golden_train.frozen_checks(small_model, arrays, notes))
