"""Videos and pictures: what was written comes back in order, and damage is one DatasetError."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from damage import damage, damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import videos
from lib.data.clip import DatasetError

av = pytest.importorskip("av")
Image = pytest.importorskip("PIL.Image")

WIDTH, HEIGHT = 64, 48
FUZZ = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def write_video(path: Path, count: int, codec: str, size=(WIDTH, HEIGHT), **options) -> Path:
    """A video whose frame i is grey 7 i + 10 (mod 240), with a red left third."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={k: str(v) for k, v in options.items()})
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture_of(index, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def picture_of(index: int, size=(WIDTH, HEIGHT)) -> np.ndarray:
    picture = np.full((size[1], size[0], 3), grey_of(index), np.uint8)
    picture[:, : size[0] // 3] = (200, 30, 30)
    return picture


def grey_of(index: int) -> int:
    return (7 * index + 10) % 240


KINDS = {
    "b-frames.mp4": ("libx264", {"bf": 3, "crf": 8}),
    "b-frames.avi": ("libx264", {"bf": 3, "crf": 8}),
    "mpeg4.avi": ("mpeg4", {"bf": 2, "b": 2_000_000}),
    "mpeg4.mp4": ("mpeg4", {"b": 2_000_000}),
    "jpeg.avi": ("mjpeg", {"q:v": 2}),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {
        name: write_video(folder / name, 20, codec, **options)
        for name, (codec, options) in KINDS.items()
    }


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("count", "every"), [(20, 1), (7, 3), (1, 1), (4, 5)])
def test_frames_come_in_the_order_of_showing(written, name, count, every):
    found = list(videos.frames(written[name], count, every))
    assert len(found) == count
    for index, frame in enumerate(found):
        assert frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8
        assert np.abs(frame[:, 30:].astype(float).mean() - grey_of(index * every)) < 4
        red = frame[4:-4, 4:16].reshape(-1, 3).mean(0)
        assert red[0] > 170 and red[1] < 60 and red[2] < 60


@pytest.mark.parametrize("name", KINDS)
def test_count_of_frames(written, name):
    assert videos.count_frames(written[name]) == 20


@pytest.mark.parametrize("name", KINDS)
def test_too_few_frames_are_refused_with_the_number_there_is(written, name):
    frames = videos.frames(written[name], 21)
    for _ in range(20):
        next(frames)
    with pytest.raises(DatasetError, match=f"{name}: the video ends after 20 frames, 21 are needed"):
        next(frames)
    with only_dataset_errors(written[name]), pytest.raises(DatasetError, match="25 are needed"):
        list(videos.frames(written[name], 5, every=6))


def test_nothing_is_opened_before_the_first_frame_and_all_is_closed_with_the_generator(written):
    missing = videos.frames("nowhere.avi", 3)
    with pytest.raises(DatasetError, match="nowhere.avi: no such file"):
        next(missing)
    assert list(videos.frames("nowhere.avi", 0)) == []
    path = written["mpeg4.avi"]
    frames = videos.frames(path, 20)
    next(frames)
    assert open_files(path) == 1
    frames.close()
    assert open_files(path) == 0
    list(videos.frames(path, 3))
    assert open_files(path) == 0


def open_files(path: Path) -> int:
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system does not list open files")
    names = []
    for handle in handles.iterdir():
        try:
            names.append(handle.readlink())
        except OSError:
            continue
    return names.count(path.resolve())


def test_a_few_pictures_in_memory(tmp_path):
    path = write_video(tmp_path / "long.mp4", 150, "mpeg4", size=(640, 480))
    with limited(60, memory_mib=150):
        for frame in videos.frames(path, 150):
            assert frame.shape == (480, 640, 3)  # 132 MiB in all


def test_a_picture_size_that_changes_midway_is_refused(tmp_path):
    # Two streams of H.264 one after the other are one whose second sequence header has another size.
    pieces = []
    for size in ((64, 48), (96, 48)):
        data = io.BytesIO()
        with av.open(data, "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for index in range(5):
                frame = av.VideoFrame.from_ndarray(picture_of(index, size), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        pieces.append(data.getvalue())
    path = tmp_path / "two.ts"
    with (
        av.open(io.BytesIO(b"".join(pieces)), format="h264") as raw,
        av.open(str(path), "w") as container,
    ):
        stream = container.add_stream_from_template(raw.streams.video[0])
        for index, packet in enumerate(raw.demux(raw.streams.video[0])):
            if packet.size:
                packet.pts = packet.dts = index * 3600
                packet.stream = stream
                container.mux(packet)
    assert len(list(videos.frames(path, 5))) == 5
    with pytest.raises(DatasetError, match="frame 5: 96 x 48 px, the frames before have 64 x 48"):
        list(videos.frames(path, 10))


def test_a_playlist_called_avi_opens_no_other_file(written, tmp_path):
    secret = write_video(tmp_path / "secret.mp4", 5, "mpeg4")
    path = tmp_path / "video_0.avi"
    playlists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    )
    for text in playlists:
        path.write_text(text)
        with only_dataset_errors(path), pytest.raises(DatasetError):
            list(videos.frames(path, 1))


def test_names_are_taken_to_the_letter(tmp_path):
    for name in ("a b.avi", "50%03d.avi", "c:d.avi", "ü.avi", "#1?.avi"):
        path = write_video(tmp_path / "plain.avi", 3, "mpeg4").rename(tmp_path / name)
        assert len(list(videos.frames(path, 3))) == 3


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no video at all" * 50, b"\0" * 5000])
def test_what_is_no_video(tmp_path, content):
    path = tmp_path / "video.avi"
    path.write_bytes(content)
    for read in (lambda: list(videos.frames(path, 1)), lambda: videos.count_frames(path)):
        with only_dataset_errors(path), pytest.raises(DatasetError):
            read()
    with pytest.raises(DatasetError, match="no such file"):
        videos.count_frames(tmp_path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(DatasetError, match="sound.mp4: holds no video"):
        videos.count_frames(path)


@pytest.mark.parametrize("name", ["b-frames.mp4", "mpeg4.avi"])
def test_damaged_videos(written, name, tmp_path, capfd):
    whole = written[name].read_bytes()
    path = tmp_path / name

    @FUZZ
    @given(damaged(whole))
    def fuzz(data):
        path.write_bytes(data)
        with limited(seconds=20), only_dataset_errors(path):
            for frame in videos.frames(path, 4, every=5):
                assert frame.dtype == np.uint8 and frame.ndim == 3
        with limited(seconds=20), only_dataset_errors(path):
            assert videos.count_frames(path) < 10_000

    fuzz()
    assert capfd.readouterr().err == ""


# Pictures


def encoded(image, kind="PNG", **options) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def gradient() -> np.ndarray:
    rows, columns = np.mgrid[:20, :30]
    return np.stack([rows * 12, columns * 8, (rows + columns) * 5], -1).astype(np.uint8)


@pytest.fixture
def file(tmp_path):
    def write(image, kind="PNG", **options) -> Path:
        path = tmp_path / f"picture.{kind.lower()}"
        path.write_bytes(encoded(image, kind, **options))
        return path

    return write


def test_a_picture_comes_back(file):
    picture = gradient()
    path = file(Image.fromarray(picture))
    assert np.array_equal(videos.read_picture(path), picture)
    assert videos.picture_size(path) == (30, 20)
    assert np.array_equal(videos.read_picture(file(Image.fromarray(picture), "BMP")), picture)
    jpeg = videos.read_picture(file(Image.fromarray(picture), "JPEG", quality=98, subsampling=0))
    assert np.abs(jpeg.astype(int) - picture).max() < 12


def test_pictures_are_read_one_after_the_other(tmp_path):
    paths = []
    for grey in (10, 20, 30):
        paths.append(tmp_path / f"{grey}.png")
        paths[-1].write_bytes(encoded(Image.new("RGB", (8, 6), (grey,) * 3)))
    read = videos.pictures(paths + [tmp_path / "missing.png"])
    assert [next(read).mean() for _ in paths] == [10, 20, 30]
    with pytest.raises(DatasetError, match="missing.png: no such file"):
        next(read)


def test_modes_become_rgb(file):
    grey = gradient()[..., 0]
    three = np.repeat(grey[..., None], 3, -1)
    assert np.array_equal(videos.read_picture(file(Image.fromarray(grey))), three)
    assert np.array_equal(videos.read_picture(file(Image.fromarray(grey).convert("LA"))), three)
    assert np.array_equal(videos.read_picture(file(Image.fromarray(grey).convert("P"))), three)
    deep = Image.fromarray(grey.astype(np.uint16) * 256 + 17)
    assert np.array_equal(videos.read_picture(file(deep)), three)
    black = videos.read_picture(file(Image.fromarray(grey > 100)))
    assert np.array_equal(black[..., 0] == 255, grey > 100)
    clear = Image.fromarray(np.dstack([gradient(), grey]))
    assert np.array_equal(videos.read_picture(file(clear)), gradient())
    inks = Image.fromarray(gradient()).convert("CMYK")
    assert (
        np.abs(videos.read_picture(file(inks, "JPEG", quality=99)).astype(int) - gradient()).mean() < 6
    )


def test_orientation_is_not_applied(file):
    # Labels were made on the pixels as stored.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = file(Image.fromarray(gradient()), "JPEG", exif=exif)
    assert videos.read_picture(path).shape == (20, 30, 3)
    assert videos.picture_size(path) == (30, 20)


def test_masks(file):
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    for white in (1, 255):
        image = Image.fromarray(mask.astype(np.uint8) * np.uint8(white))
        assert np.array_equal(videos.read_mask(file(image)), mask)
    assert np.array_equal(videos.read_mask(file(Image.fromarray(mask))), mask)
    assert np.array_equal(videos.read_mask(file(Image.fromarray(mask).convert("RGB"))), mask)
    lossy = videos.read_mask(file(Image.fromarray(mask).convert("L"), "JPEG", quality=95))
    assert lossy.dtype == bool and (lossy != mask).mean() < 0.02
    assert not videos.read_mask(file(Image.new("L", (30, 20)))).any()
    assert not videos.read_mask(file(Image.new("L", (30, 20), 4), "JPEG")).any()
    assert np.array_equal(videos.read_mask(file(Image.fromarray(mask.astype(np.uint16) * 65535))), mask)


def test_the_size_is_bounded_before_pixels_are_made(tmp_path):
    path = tmp_path / "bomb.png"
    for width, height in ((20_000, 20_000), (6000, 6000), (1 << 31 - 1, 1)):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        data = (
            b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        )
        path.write_bytes(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
        for read in (videos.read_picture, videos.read_mask, videos.picture_size):
            with limited(5, memory_mib=20), only_dataset_errors(path), pytest.raises(DatasetError):
                read(path)


def test_other_formats_are_refused(tmp_path):
    # EPS would be handed to another program.
    for name, data in (
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
        ("a.gif", encoded(Image.new("L", (8, 8)), "GIF")),
        ("a.png", b""),
        ("b.png", b"no picture"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with only_dataset_errors(path), pytest.raises(DatasetError):
            videos.read_picture(path)


def test_a_cut_off_picture_is_refused(tmp_path):
    for kind in ("PNG", "JPEG", "BMP"):
        path = tmp_path / f"cut.{kind.lower()}"
        data = encoded(Image.fromarray(gradient()), kind)
        path.write_bytes(data[: len(data) * 2 // 3])
        with only_dataset_errors(path), pytest.raises(DatasetError):
            videos.read_picture(path)


@FUZZ
@given(kind=st.sampled_from(["PNG", "JPEG", "BMP", "16", "P"]), seed=st.integers(0, 1 << 62))
def test_damaged_pictures(tmp_path_factory, kind, seed):
    path = tmp_path_factory.getbasetemp() / "damaged-picture"
    path.write_bytes(damage(WHOLE[kind], seed))
    for read in (videos.read_picture, videos.read_mask, videos.picture_size):
        with limited(seconds=20), only_dataset_errors(path):
            read(path)


WHOLE = {
    kind: encoded(
        Image.fromarray(gradient()),
        kind,
        **({"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"} if kind == "JPEG" else {}),
    )
    for kind in ("PNG", "JPEG", "BMP")
} | {
    "16": encoded(Image.fromarray(gradient()[..., 0].astype(np.uint16) * 200)),
    "P": encoded(Image.fromarray(gradient()).convert("P"), pnginfo=None),
}
