import signal
import threading

import pytest

from dtinterp.foundation.interruption import Interrupted, stop_request


def test_the_first_interrupt_asks_and_the_second_one_stops():
    with stop_request() as stop:
        assert not stop.is_made
        signal.raise_signal(signal.SIGINT)
        assert stop.is_made
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_an_interrupt_is_what_it_was():
    usual = signal.getsignal(signal.SIGINT)
    with stop_request():
        assert signal.getsignal(signal.SIGINT) is not usual
    assert signal.getsignal(signal.SIGINT) is usual


def test_another_thread_goes_on_without_signals():
    made = []

    def work():
        with stop_request() as stop:
            made.append(stop.is_made)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert made == [False]


def test_an_interrupted_command_is_no_error_that_code_swallows():
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert str(Interrupted("kept it")) == "kept it"
