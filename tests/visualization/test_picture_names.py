"""What the pictures of a video are called."""

from mmdet.datasets import VideoInfo
from mmdet.visualization.video_writer import picture_names


def test_videos_that_share_a_folder_are_told_apart():
    files = {4: "a/b/0.jpg", 5: "shared/x_0.jpg", 6: "shared/y_0.jpg", 7: "0.jpg"}
    videos = [VideoInfo(number, (4, 4), [name]) for number, name in files.items()]
    assert picture_names(videos) == {4: "a/b", 5: "video_5", 6: "video_6", 7: "video_7"}
