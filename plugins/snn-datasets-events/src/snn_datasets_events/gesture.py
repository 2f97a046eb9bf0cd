"""DVS128 Gesture: hand and arm gestures, as an event camera saw them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from snn_datasets_events import recordings, trials
from snn_datasets_events.recordings import Recordings
from snn_datasets_events.store import folder_of
from snn_datasets_events.tape import Tape, finished
from snn_datasets_events.trials import Trials
from snn_kernel import Context, DataError, Fault, Splits, cache

if TYPE_CHECKING:
    from snn_kernel.plan import Plan

SIZE = (128, 128, 2)
TOLD = 10  # missing files that are told one by one
_LAYOUTS = """
  DvsGesture.tar.gz as published, or its folder DvsGesture: trials_to_train.txt, \
trials_to_test.txt, <recording>.aedat, <recording>_labels.csv
  train/<class>/*.npz and test/<class>/*.npz, below events_np or not
  ibmGestureTrain/<recording>/<class>.npy and ibmGestureTest/…
  labels.csv and the .bs3 files that it lists
 """
_SOURCE = "https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8 has the archive"


@frozen
class DVSGesture:
    """11 hand and arm gestures of 29 people, recorded by an event camera of 128x128 pixels.

    A. Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017. Events
    have size (128, 128, 2), t in µs since the gesture began, p = 1 where it became brighter;
    classes 0..10 are 1..11 of the publication, the last one "other gestures". There is no
    validation set. The layout is found by looking at the folder:

    - The published archive DvsGesture.tar.gz, read twice from its beginning and unpacked in memory,
      or its folder DvsGesture: AEDAT 3.1 recordings, from which each row of <recording>_labels.csv
      cuts a sample, begin <= t < end. The lists trials_to_train.txt and trials_to_test.txt are the
      sets and the order: 1176 and 288 samples.
    - SpikingJelly's events_np/{train,test}/<class 0..10>/*.npz with arrays x, y, t, p; t in µs, of
      which the first event's is taken off.
    - Tonic's ibmGestureTrain/<recording>/<class 0..10>.npy and ibmGestureTest/…: arrays [events, 4]
      of x, y, p and t in ms, which becomes µs since the first event.
    - labels.csv and .bs3 files, 7 bytes an event. Columns of labels.csv: file; the class as label
      or index0 (0..10) or as ibm_label (1..11); and split, one of train, valid, test. Without a
      column split all samples are for training, and a DatasetSplitter makes a test set of them.

    Events need 16 bytes of memory each.

    path: the folder of one of these layouts, or the archive itself, ~ for the home folder; default
        "": folder dvsgesture of the cache
    classes: 11, or 10 to leave out "other gestures"; default 11
    """

    path: str = ""
    classes: Literal[10, 11] = 11

    def check(self, plan: Plan, place: str) -> Iterator[Fault]:
        """A folder of no known layout, and files of it that are missing."""
        try:
            self._layout()
        except DataError as error:
            for fault in error.faults:
                yield Fault(place, str(fault))

    def load(self, context: Context) -> Splits:
        """The sets that there are. DataError for all that is missing or damaged."""
        tapes = {name: Tape(SIZE) for name in recordings.SPLITS}
        layout = self._layout()
        with tapes["train"].judging():
            layout.read(tapes, self.classes, context)
        finished(tapes.values(), type(self).__name__)
        made = {name: tape.events() for name, tape in tapes.items()}
        train, valid, test = (made[name] if len(made[name]) else None for name in recordings.SPLITS)
        return Splits(train, valid, test, self.classes)

    def _layout(self) -> Trials | Recordings:
        path = folder_of(self.path, cache() / "dvsgesture")
        whose, where = type(self).__name__, str(path.absolute())
        found = (
            trials.in_archive(path)
            or trials.in_folder(path)
            or trials.in_folder(path / "DvsGesture")
            or recordings.of_npz(path)
            or recordings.of_npz(path / "events_np")
            or recordings.of_npy(path)
            or recordings.of_npy(path / "DVSGesture")
            or recordings.of_bs3(path)
            or trials.in_archive(path / "DvsGesture.tar.gz")
        )
        if not found:
            hint = f"set params.path; {_SOURCE}"
            raise DataError(Fault(where, f"has none of these layouts:{_LAYOUTS}", whose, hint))
        if missing := [str(p.relative_to(path)) for p in found.missing()]:
            more = f" and {len(missing) - TOLD} more" if len(missing) > TOLD else ""
            what = f"{', '.join(missing[:TOLD])}{more} missing"
            raise DataError(Fault(where, what, whose, _SOURCE))
        return found
