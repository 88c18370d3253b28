"""Progress where there is no terminal: lines with count, speed and time left."""

from mmdet.engine.inference.predicting.progress import Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_line_comes_every_ten_seconds_with_speed_and_time_left(capsys):
    clock = Clock()
    progress = Progress("2/5 bikes", lambda: 250, clock)
    for seconds in range(1, 25):
        clock.now = 100.0 + seconds
        progress.add(5)
    progress.close()
    assert capsys.readouterr().err.splitlines() == [
        "2/5 bikes: 50 of 250 frames, 5.0 frames/s, 00:40 left",
        "2/5 bikes: 100 of 250 frames, 5.0 frames/s, 00:30 left",
    ]
    assert progress.rate == 5.0


def test_a_source_without_an_end_has_no_time_left(capsys):
    clock = Clock()
    progress = Progress("cam", lambda: None, clock)
    clock.now += 10
    progress.add(70)
    assert capsys.readouterr().err == "cam: 70 frames, 7.0 frames/s\n"


def test_a_total_that_was_too_small_is_not_shown(capsys):
    clock = Clock()
    progress = Progress("clip", lambda: 20, clock)
    clock.now += 10
    progress.add(30)
    assert capsys.readouterr().err == "clip: 30 frames, 3.0 frames/s\n"
