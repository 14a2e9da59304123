"""Every deliberate error, drawn as a tree. Imports nothing of ours but how to install.

A class carries what its handling needs: the exit status of a run that ends with it, the stable
reason code that stands in a record, and a hint (the user's next step) where one can be given
for the whole class.

    ArcfaceError
    ├── UsageError                       2  wrong flags; nothing was done
    │   ├── InvalidSubjectName, InvalidThreshold, NoInputs, MissingFile, NotAFile,
    │   │   NoSubject, InvalidList, NothingToCount, UnsupportedRate
    ├── InputError                       3  one photograph could not be used
    │   ├── UnreadableImage, UnsupportedFormat, ImageTooLarge, ImageTooSmall, EmptyFile,
    │   │   PermissionDenied
    │   ├── DuplicatePhoto, EnrolledAsAnother, RefusedBefore, UnsafePickle, NotEmbedded,
    │   │   UnreadableFeatures
    │   └── FaceError                    4  a photograph without the face that was needed
    │       ├── NoFace, SeveralFaces, FaceTooSmall, DetectionScoreLow, FaceBlurred, FaceTurned,
    │       │   FaceUnderexposed, FaceOverexposed, DegenerateLandmarks, UnusableFeature
    ├── MachineError                     5  this machine can't do it
    │   ├── RuntimeMissing, PackageMissing, DeviceUnavailable, OutOfMemory, ModelMissing,
    │   │   ModelUnusable, LicenceNotAccepted, DownloadFailed, WeightsDamaged, NoOperatingPoint
    ├── GalleryError                     6
    │   ├── GalleryMissing, GalleryLocked, GalleryDamaged, GalleryNewer, GalleryModelMismatch,
    │   │   SubjectMissing, SubjectExists, TemplateMissing
    └── OutputError                      7
"""

from typing import ClassVar

from arcface_cli.installing import PLACE, install

BUG_STATUS = 70
INTERRUPTED_STATUS = 130


class ArcfaceError(Exception):
    """Something we foresaw, said in one line: what, why, and what to do next."""

    exit_status: ClassVar[int] = BUG_STATUS
    code: ClassVar[str] = "error"
    default_hint: ClassVar[str | None] = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint


# --- 2: wrong usage -----------------------------------------------------------------------


class UsageError(ArcfaceError):
    exit_status = 2
    code = "usage"


class InvalidSubjectName(UsageError):
    code = "invalid_subject_name"
    default_hint = "give the person another name: rename the folder, or use --name or --manifest"


class InvalidThreshold(UsageError):
    code = "invalid_threshold"


class NoInputs(UsageError):
    code = "no_inputs"


class MissingFile(UsageError):
    code = "missing_file"
    default_hint = "check the path"


class NotAFile(UsageError):
    code = "not_a_file"


class NoSubject(UsageError):
    """A photograph to enroll that nothing gives a name to."""

    code = "no_subject"


class InvalidList(UsageError):
    """A list of photographs, pairs or people that says nothing usable, or two things at once."""

    code = "invalid_list"


class NothingToCount(UsageError):
    """A rate was asked for over no comparison at all."""

    code = "nothing_to_count"


class UnsupportedRate(UsageError):
    """The data are too few for the rate that was asked for."""

    code = "unsupported_rate"


# --- 3: one photograph could not be used ------------------------------------------------------


class InputError(ArcfaceError):
    exit_status = 3
    code = "unusable_input"


class UnreadableImage(InputError):
    code = "unreadable_image"
    default_hint = "the file is damaged or is no picture: open it in a viewer, or copy it again"


class UnsupportedFormat(InputError):
    code = "unsupported_format"


class ImageTooLarge(InputError):
    code = "image_too_large"


class ImageTooSmall(InputError):
    code = "image_too_small"
    default_hint = "use a larger picture: a face needs some 40 pixels"


class EmptyFile(InputError):
    code = "empty_file"
    default_hint = "the file has no content: copy it again"


class PermissionDenied(InputError):
    code = "permission_denied"
    default_hint = "make it readable for this user"


class DuplicatePhoto(InputError):
    """The same photograph of the same subject is enrolled already: nothing is left to do."""

    code = "duplicate"


class EnrolledAsAnother(InputError):
    code = "enrolled_as_another"


class RefusedBefore(InputError):
    """A photograph that an earlier synchronisation refused, and nothing that decided so has changed."""

    code = "refused_before"
    default_hint = "--retry-refused looks at it again"


class UnsafePickle(InputError):
    code = "unsafe_pickle"
    default_hint = (
        "it was refused unread: get it from its publisher, who needs nothing but pictures and booleans"
    )


class NotEmbedded(InputError):
    """A stored input that already gave no feature when it was embedded."""

    code = "not_embedded"
    default_hint = "mend the photograph and embed it again"


class UnreadableFeatures(InputError):
    """A file of features, or a row of one, that can't be what `arcface embed` wrote."""

    code = "unreadable_features"
    default_hint = "the file is damaged or not of arcface: write it again with: arcface embed -o"


# --- 4: no usable face where one was needed ---------------------------------------------------


class FaceError(InputError):
    exit_status = 4
    code = "no_usable_face"


class NoFace(FaceError):
    code = "no_face"
    default_hint = "use a picture that shows the face, or lower --det-score"


class SeveralFaces(FaceError):
    code = "several_faces"
    default_hint = "crop the picture to one person, or choose with --faces largest or center"


class FaceTooSmall(FaceError):
    code = "face_too_small"
    default_hint = "use a larger picture, or lower --min-face"


class DetectionScoreLow(FaceError):
    code = "detection_score_low"
    default_hint = "use a picture that shows the face better, or lower --det-score"


class FaceBlurred(FaceError):
    code = "face_blurred"
    default_hint = "use a sharper or larger picture, or lower --min-sharpness (0 takes any)"


class FaceTurned(FaceError):
    code = "face_turned"
    default_hint = "use a picture taken more from the front, or raise --max-yaw (180 takes any)"


class FaceUnderexposed(FaceError):
    code = "face_underexposed"
    default_hint = "use a brighter picture, or raise --max-dark (1 takes any)"


class FaceOverexposed(FaceError):
    code = "face_overexposed"
    default_hint = "use a picture with less light on the face, or raise --max-bright (1 takes any)"


class DegenerateLandmarks(FaceError):
    code = "degenerate_landmarks"
    default_hint = "the five points don't span a face: use another picture"


class UnusableFeature(FaceError):
    code = "unusable_feature"
    default_hint = "the network answered with no direction: verify the weights with: arcface models verify"


# --- 5: this machine can't do it ----------------------------------------------------------------


class MachineError(ArcfaceError):
    exit_status = 5
    code = "machine"


class RuntimeMissing(MachineError):
    code = "runtime_missing"
    default_hint = f"install a runtime with: {install('cpu')}, or '.[gpu]' for NVIDIA CUDA"


class PackageMissing(MachineError):
    """An optional package that one format or feature needs."""

    code = "package_missing"


class DeviceUnavailable(MachineError):
    code = "device_unavailable"


class OutOfMemory(MachineError):
    code = "out_of_memory"
    default_hint = "close other programs, or work on less at once: -j 1, a smaller --batch"


class ModelMissing(MachineError):
    code = "model_missing"
    default_hint = "see what there is with: arcface models list; fetch one with: arcface models pull compact"


class ModelUnusable(MachineError):
    code = "model_unusable"


class LicenceNotAccepted(MachineError):
    code = "licence_not_accepted"


class DownloadFailed(MachineError):
    code = "download_failed"


class WeightsDamaged(MachineError):
    code = "weights_damaged"


class NoOperatingPoint(MachineError):
    code = "no_operating_point"


# --- 6: the gallery -----------------------------------------------------------------------------


class GalleryError(ArcfaceError):
    exit_status = 6
    code = "gallery"


class GalleryMissing(GalleryError):
    code = "gallery_missing"
    default_hint = "make one with: arcface enroll ./people/"


class GalleryLocked(GalleryError):
    code = "gallery_locked"
    default_hint = "wait for the other arcface to finish, then run this again"


class GalleryDamaged(GalleryError):
    code = "gallery_damaged"


class GalleryNewer(GalleryError):
    code = "gallery_newer"
    default_hint = f"upgrade arcface, {PLACE}: git pull && pip install ."


class GalleryModelMismatch(GalleryError):
    code = "gallery_model_mismatch"


class SubjectMissing(GalleryError):
    code = "subject_missing"
    default_hint = "see who is enrolled with: arcface gallery list"


class SubjectExists(GalleryError):
    code = "subject_exists"


class TemplateMissing(GalleryError):
    code = "template_missing"
    default_hint = "see the numbers of a person's templates with: arcface gallery show NAME"


# --- 7: output could not be written -------------------------------------------------------------


class OutputError(ArcfaceError):
    exit_status = 7
    code = "output"
    default_hint = "free some space or choose another place with -o, then run this again"
