"""Every file of features that we write is read back as it was; every other is refused in one clear line."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_files import FORMATS, NAMES, missing_record, read_features, unit_rows, write_features

from arcface_cli.errors import (
    ArcfaceError,
    FaceBlurred,
    FaceTooSmall,
    GalleryModelMismatch,
    MissingFile,
    NotEmbedded,
    UnreadableFeatures,
    UnusableFeature,
    UsageError,
)
from arcface_cli.faces import RefusedFace
from arcface_cli.inputs.embeddings import StoredFace, UnusableRow, stored_features
from arcface_cli.output.sinks import to_json
from fakes import face_at, fingerprint

EXACT = ("npz", "npy", "parquet")
pyarrow = pytest.importorskip("pyarrow")


@pytest.mark.parametrize("form", FORMATS)
def test_features_come_back_as_they_were_written(tmp_path: Path, form: str) -> None:
    features = unit_rows(3)
    path = write_features(tmp_path / f"x.{form}", features)
    faces, unusable = read_features(path)
    assert unusable == []
    read = np.stack([face.feature for face in faces])
    assert read.dtype == np.float32
    if form in EXACT:
        assert read.tobytes() == features.tobytes()
    else:
        np.testing.assert_allclose(read, features, atol=1e-7, rtol=0)


@pytest.mark.parametrize("form", FORMATS)
def test_what_made_the_features_comes_back_too(tmp_path: Path, form: str) -> None:
    stored = stored_features(write_features(tmp_path / f"x.{form}", unit_rows(3)))
    assert stored.fingerprint == fingerprint(4)
    assert (stored.model, stored.detector) == ("compact", "yunet")


@pytest.mark.parametrize("form", FORMATS)
def test_each_row_knows_its_photograph_and_its_face(tmp_path: Path, form: str) -> None:
    names = (*NAMES, Path(os.fsdecode(b"odd\xff\n/x.jpg")))
    faces, _ = read_features(write_features(tmp_path / f"x.{form}", unit_rows(4), names))
    assert [face.photo.raw for face in faces] == [os.fsencode(name) for name in names]
    assert [face.photo.subject for face in faces] == ["ada", "bob smith", "zoë", "odd\\xff"]
    assert {(face.width, face.height) for face in faces} == {(640, 480)}
    assert [face.sha256 for face in faces] == [f"{number:064x}" for number in (1, 2, 3, 4)]
    assert faces[0].face.box.as_tuple() == (10.0, 10.0, 122.0, 122.0)
    assert faces[0].face.points.array.shape == (5, 2)
    assert faces[0].face.detection_score == pytest.approx(0.9)


@pytest.mark.parametrize("form", FORMATS)
def test_several_faces_of_one_photograph_stay_together(tmp_path: Path, form: str) -> None:
    faces, _ = read_features(write_features(tmp_path / f"x.{form}", unit_rows(6), per_photo=2))
    assert [face.face.index for face in faces] == [0, 1] * 3
    assert [face.face.box.x_min for face in faces] == [10.0, 160.0] * 3


@pytest.mark.parametrize("form", FORMATS)
def test_inputs_that_gave_no_feature_are_told_of_not_dropped(tmp_path: Path, form: str) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(3), missing=["gone/1.jpg", "gone/2.jpg"])
    faces, unusable = read_features(path)
    assert len(faces) == 3
    assert [row.photo.display for row in unusable] == ["gone/1.jpg", "gone/2.jpg"]
    assert all(isinstance(row.error, NotEmbedded) for row in unusable)
    assert all("missing_file" in row.error.message for row in unusable)


@pytest.mark.parametrize("form", FORMATS)
def test_inputs_with_a_feature_and_without_come_in_the_order_they_were_written_in(
    tmp_path: Path, form: str
) -> None:
    names = [f"ada/{number}.jpg" for number in range(3)]
    gone = ["gone/0.jpg", "gone/1.jpg"]
    path = write_features(
        tmp_path / f"x.{form}", unit_rows(3), names, missing=["late.jpg"], missing_first=gone
    )
    rows = list(stored_features(path).rows)
    assert [row.photo.display for row in rows] == [*gone, *names, "late.jpg"]


def test_an_archive_that_doesnt_tell_the_order_has_inputs_without_a_feature_last(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npz", unit_rows(3), missing_first=["gone.jpg"])
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive if name != "unusable_before"}
    np.savez(path, **arrays)
    assert [type(row) for row in stored_features(path).rows] == [StoredFace] * 3 + [UnusableRow]


@pytest.mark.parametrize("places", [["x"], [0.5], [[1, 2]], np.array([None], object), -1, [-5], [1 << 60]])
def test_an_archive_with_any_order_tells_of_everything_or_is_refused(tmp_path: Path, places: object) -> None:
    path = write_features(tmp_path / "x.npz", unit_rows(3), missing_first=["gone.jpg"])
    with np.load(path) as archive:
        np.savez(path, **{**dict(archive), "unusable_before": np.asarray(places)})
    try:
        faces, unusable = read_features(path)
    except UnreadableFeatures:
        return
    assert (len(faces), len(unusable)) == (3, 1)


def test_features_come_through_a_pipe_line_by_line() -> None:
    record = missing_record("gone.jpg", "list")
    lines = io.BytesIO(b"".join(to_json(record) + b"\n" for _ in range(3)))
    rows = stored_features(Path("-"), lines).rows
    assert [row.photo.display for row in rows] == ["gone.jpg"] * 3
    with pytest.raises(UsageError, match="no file of features"):
        stored_features(Path("-"))


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_pipe_holds_lines_or_an_array(tmp_path: Path, form: str) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(3))
    with path.open("rb") as pipe:
        faces = list(stored_features(Path("-"), pipe).rows)
    assert [face.where for face in faces if isinstance(face, StoredFace)] == [
        f"standard input, {'record' if form == 'json' else 'line'} {number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_refused_faces_are_neither_read_back_nor_told_of_one_by_one(tmp_path: Path, form: str) -> None:
    blurred = RefusedFace(face_at(index=1), FaceBlurred("the face is blurred"))
    small = RefusedFace(face_at(index=2), FaceTooSmall("the face is small"))
    path = write_features(tmp_path / f"x.{form}", unit_rows(3), refused=(blurred, small))
    faces, unusable = read_features(path)
    assert len(faces) == 3
    assert [row.photo.display for row in unusable] == ["refused.jpg"]
    assert "face_blurred" in unusable[0].error.message


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_without_any_face_has_no_fingerprint(tmp_path: Path, form: str) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(0), names=(), missing=["gone.jpg"])
    stored = stored_features(path)
    assert stored.fingerprint is None
    assert len(list(stored.rows)) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_more_rows_than_are_read_at_a_time_come_back_in_order(tmp_path: Path, form: str) -> None:
    features = unit_rows(1500, dimension=16)
    path = write_features(tmp_path / f"x.{form}", features, [f"p/{number}.jpg" for number in range(1500)])
    faces, _ = read_features(path)
    np.testing.assert_allclose(np.stack([face.feature for face in faces]), features, atol=1e-7, rtol=0)
    assert faces[1234].photo.display == "p/1234.jpg"


# --- subjects -----------------------------------------------------------------------------------------


def test_a_subject_in_a_record_goes_before_the_folder(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.jsonl", unit_rows(3))
    lines = [{**json.loads(line), "subject": "Grace"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    faces, _ = read_features(path)
    assert {(face.photo.subject, face.told) for face in faces} == {("Grace", True)}


def test_a_subject_column_of_csv_goes_before_the_folder_where_it_is_filled(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.csv", unit_rows(3))
    header, *rows = path.read_text().splitlines()
    subjects = ("Grace", "", "Alan")
    path.write_text(
        "\n".join(
            [f"subject,{header}", *(f"{who},{row}" for who, row in zip(subjects, rows, strict=True)), ""]
        )
    )
    faces, _ = read_features(path)
    assert [face.photo.subject for face in faces] == ["Grace", "bob smith", "Alan"]


def test_a_subject_array_of_npz_goes_before_the_folder(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npz", unit_rows(3))
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays, subject=np.array(["Grace", "Alan", ""]))
    faces, _ = read_features(path)
    assert [face.photo.subject for face in faces] == ["Grace", "Alan", "zoë"]


def test_a_photograph_without_a_folder_has_no_subject(tmp_path: Path) -> None:
    faces, _ = read_features(write_features(tmp_path / "x.jsonl", unit_rows(1), ["a.jpg"]))
    assert faces[0].photo.subject is None


# --- rows that can't be used --------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "no number"), (np.inf, "no number"), (3.0, "unit length"), (-1.0e30, "unit length")],
)
def test_a_feature_that_is_no_unit_vector_costs_its_row(
    tmp_path: Path, form: str, value: float, said: str
) -> None:
    features = unit_rows(3)
    path = write_features(tmp_path / f"x.{form}", features)
    damage_one_number(path, form, features, value)
    faces, unusable = read_features(path)
    assert len(faces) == 2
    (row,) = unusable
    assert isinstance(row.error, UnusableFeature)
    assert said in row.error.message
    line = f"line {3 if form in ('csv', 'tsv') else 2}"
    assert any(where in row.error.message for where in ("row 2", "record 2", line))


def damage_one_number(path: Path, form: str, features: np.ndarray, value: float) -> None:
    """Put `value` into the second row, as a hand that knows the format would."""
    damaged = features.copy()
    damaged[1, 2] = value
    if form == "npz":
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **{**arrays, "features": damaged})
    elif form == "npy":
        np.save(path, damaged)
        rewrite_digest(path)
    elif form == "parquet":
        table = pyarrow.parquet.read_table(path)
        column = pyarrow.array(damaged.tolist(), table.schema.field("feature").type)
        index = table.schema.get_field_index("feature")
        pyarrow.parquet.write_table(table.set_column(index, table.schema.field("feature"), column), path)
    else:
        number = f"{features[1, 2]:.9g}"
        text = path.read_text()
        assert text.count(number) == 1
        spelled = {np.inf: "Infinity"}.get(value, "NaN" if np.isnan(value) else repr(value))
        path.write_text(text.replace(number, spelled))


def rewrite_digest(path: Path) -> None:
    import hashlib

    manifest = path.with_suffix(".manifest.jsonl")
    head, *rest = manifest.read_text().splitlines()
    told = {**json.loads(head), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest.write_text("\n".join([json.dumps(told), *rest, ""]))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("canonical_fingerprint", None, "canonical_fingerprint is missing"),
        ("canonical_fingerprint", "sha256=?", "canonical_fingerprint is none that arcface writes"),
        ("run", None, "detector is missing"),
    ],
)
def test_a_file_that_does_not_say_what_made_it_is_refused(
    tmp_path: Path, field: str, value: object, said: str
) -> None:
    path = write_features(tmp_path / "x.jsonl", unit_rows(1), NAMES[:1])
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}) + "\n")
    with pytest.raises(UnreadableFeatures, match=said):
        stored_features(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input": 7}, "input is missing"),
        ({"input": "\ud800x"}, "no name of a file"),
        ({"input_b64": "§"}, "no name of a file"),
        ({"subject": ["x"]}, "subject is no text"),
        ({"image": {"width": 640, "height": 480, "sha256": "abc"}}, "no SHA-256"),
        ({"image": {"width": 0, "height": 480, "sha256": "0" * 64}}, "width is missing or no whole number"),
    ],
)
def test_a_record_with_a_wrong_field_costs_itself_only(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = write_features(tmp_path / "x.jsonl", unit_rows(2), ["ada/1.jpg", "bob/2.jpg"])
    first, second = map(json.loads, path.read_text().splitlines())
    path.write_text(json.dumps(first) + "\n" + json.dumps({**second, **change}) + "\n")
    faces, unusable = read_features(path)
    assert (len(faces), len(unusable)) == (1, 1)
    assert said in unusable[0].error.message
    assert "line 2" in unusable[0].error.message


@pytest.mark.parametrize(
    "change",
    [
        {"box": [1, 2, 3]},
        {"box": [9, 9, 1, 1]},
        {"box": "0000"},
        {"landmarks": [[1, 2]]},
        {"landmarks": [["1", "2"]] * 5},
        {"landmarks": [[1e300, 2]] * 5},
        {"detection_score": 2},
        {"detection_score": None},
        {"feature": None},
        {"feature": ["0.5"] * 4},
        {"feature": [1, 0, 0, [0]]},
        {"feature": [10**400, 0, 0, 0]},
    ],
)
def test_a_face_with_a_wrong_field_costs_itself_only(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_features(tmp_path / "x.jsonl", unit_rows(2), NAMES[:2])
    first, second = map(json.loads, path.read_text().splitlines())
    second["faces"][0] |= change
    path.write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n")
    faces, unusable = read_features(path)
    assert (len(faces), len(unusable)) == (1, 1)
    assert unusable[0].error.message.startswith(str(path))


def test_a_feature_of_another_dimension_is_refused(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.jsonl", unit_rows(1), NAMES[:1])
    record = json.loads(path.read_text())
    record["faces"][0]["feature"] = [1, 0, 0]
    path.write_text(json.dumps(record) + "\n")
    _, (row,) = read_features(path)
    assert "shape (3,), where (4,) is promised" in row.error.message


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_rows_of_two_models_in_one_file_end_the_reading(tmp_path: Path, form: str) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(1), NAMES[:1])
    other = write_features(tmp_path / f"y.{form}", unit_rows(1), NAMES[:1], made_by=fingerprint(4, flip=True))
    with path.open("a") as stream:
        stream.write(other.read_text().splitlines()[-1] + "\n")
    with pytest.raises(GalleryModelMismatch, match="another model or detector"):
        read_features(path)


# --- files that can't be used -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["npz", "npy", "parquet"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_array_file_is_refused_as_a_whole(tmp_path: Path, form: str, part: float) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(3))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UnreadableFeatures, match=r"x\."):
        read_features(path)


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv"])
@pytest.mark.parametrize("cut", [1, 2, 3, 30])
def test_a_line_that_is_cut_off_is_never_believed(tmp_path: Path, form: str, cut: int) -> None:
    path = write_features(tmp_path / f"x.{form}", unit_rows(3))
    path.write_bytes(path.read_bytes()[:-cut])
    faces, unusable = read_features(path)
    if form == "jsonl" and cut == 1:  # only the newline is gone: the object is whole
        assert len(faces) == 3
        return
    assert (len(faces), len(unusable)) == (2, 1)
    assert "cut off" in unusable[0].error.message


@pytest.mark.parametrize("form", EXACT)
def test_a_flipped_bit_in_the_features_is_noticed(tmp_path: Path, form: str) -> None:
    features = unit_rows(3)
    path = write_features(tmp_path / f"x.{form}", features)
    data = bytearray(path.read_bytes())
    data[data.index(features.tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableFeatures, match=r"(?i)checksum|crc|belong together"):
        read_features(path)


def test_a_manifest_of_another_run_is_refused(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npy", unit_rows(3))
    other = write_features(tmp_path / "y.npy", unit_rows(3, seed=8))
    path.write_bytes(other.read_bytes())
    with pytest.raises(UnreadableFeatures, match="don't belong together"):
        read_features(path)


def test_a_manifest_that_lost_a_line_is_refused(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npy", unit_rows(3), missing=["gone.jpg"])
    manifest = tmp_path / "x.manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UnreadableFeatures, match="don't belong together"):
        read_features(path)


def test_features_without_their_manifest_are_refused(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npy", unit_rows(3))
    (tmp_path / "x.manifest.jsonl").unlink()
    with pytest.raises(UnreadableFeatures, match=r"no x\.manifest\.jsonl beside it"):
        read_features(path)


class _Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_pickled_objects_are_refused_unopened(tmp_path: Path, form: str) -> None:
    trace = tmp_path / "trace"
    trapped = np.array([_Trap(trace)] * 3, dtype=object)
    path = write_features(tmp_path / f"x.{form}", unit_rows(3))
    if form == "npy":
        np.save(path, trapped, allow_pickle=True)
    else:
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **{**arrays, "input": trapped})
    with pytest.raises(UnreadableFeatures, match="pickled objects"):
        read_features(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".parquet", ".jsonl", ".csv"])
def test_a_pickle_under_any_name_is_refused_unopened(tmp_path: Path, suffix: str) -> None:
    path, trace = tmp_path / f"x{suffix}", tmp_path / "trace"
    (tmp_path / "x.manifest.jsonl").write_text("{}\n")
    path.write_bytes(pickle.dumps(_Trap(trace)))
    with pytest.raises(UnreadableFeatures):
        faces, unusable = read_features(path)
        assert not faces
        raise unusable[0].error
    assert not trace.exists()


def test_an_archive_that_lacks_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", features=unit_rows(3))
    with pytest.raises(UnreadableFeatures, match="has no array"):
        read_features(tmp_path / "x.npz")


def test_an_archive_whose_arrays_differ_in_length_is_refused(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npz", unit_rows(3))
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "face": np.arange(2)})
    with pytest.raises(UnreadableFeatures, match="don't match"):
        read_features(path)


def test_an_array_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    path = write_features(tmp_path / "x.npz", unit_rows(3))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 549755813888), }"
    header = header.ljust(118 - 1) + b"\n"
    claim = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, "features.npy": claim}.items():
            archive.writestr(name, data)
    with pytest.raises(UnreadableFeatures, match="claims rows of"):
        read_features(path)


def test_another_suffix_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of features"):
        stored_features(tmp_path / "x.pkl")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, form: str) -> None:
    with pytest.raises(MissingFile, match=f"x.{form} does not exist"):
        stored_features(tmp_path / f"x.{form}")


# --- anything at all ----------------------------------------------------------------------------------

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("form", FORMATS)
@FUZZ
@given(data=st.data())
def test_a_mutated_file_gives_unit_vectors_or_one_deliberate_error(
    tmp_path: Path, form: str, data: st.DataObject
) -> None:
    for earlier in tmp_path.iterdir():  # a damaged manifest, and what has come to look like a picture, stay
        earlier.unlink()
    path = write_features(tmp_path / f"x.{form}", unit_rows(3))
    target = path
    if form == "npy" and data.draw(st.booleans()):
        target = path.with_suffix(".manifest.jsonl")
    content = bytearray(target.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(max_size=6) | st.sampled_from([b"\n", b"NaN", b'"', b"]", b"\0" * 8]))
        content[place : place + data.draw(st.integers(0, 8))] = piece
        if not content:
            break
    target.write_bytes(content)
    check_reading(path)


@pytest.mark.parametrize("form", FORMATS)
@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_deliberately(tmp_path: Path, form: str, content: bytes) -> None:
    path = tmp_path / f"x.{form}"
    path.write_bytes(content)
    path.with_suffix(".manifest.jsonl").write_bytes(content)
    check_reading(path)


def check_reading(path: Path) -> None:
    try:
        faces, unusable = read_features(path)
    except ArcfaceError as error:
        assert "\n" not in error.message
        return
    for face in faces:
        assert abs(float(np.linalg.norm(face.feature.astype(np.float64))) - 1) <= 1e-3
    assert all("\n" not in row.error.message for row in unusable)
