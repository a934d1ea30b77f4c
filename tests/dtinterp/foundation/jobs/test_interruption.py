import signal

import pytest

from dtinterp.foundation.jobs.interruption import noted_interruption


def test_ctrl_c_is_noted_and_the_work_goes_on():
    with noted_interruption() as interruption:
        assert not interruption.is_asked
        signal.raise_signal(signal.SIGINT)
        assert interruption.is_asked


def test_the_second_ctrl_c_interrupts_at_once():
    with noted_interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert interruption.is_asked


def test_afterwards_ctrl_c_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    with noted_interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
