//! What can be wrong with an index, and which check has to find it.

/// What is wrong with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    CountsWhatIsOnlyRead,
    ForgetsWhatWasPut,
    AnswersWithTheRowsFromBefore,
    IsText,
    CutsFacts,
    ComparesTimesAsFloats,
    KeepsTheOldFacts,
    TheLastTimeCounts,
    ListsWhatIsEvicting,
    EmptiesLabels,
    KeepsWhatIsJustOver,
    DropsWhatIsAlmostOver,
    IgnoresRemovals,
    RemovesTheFirstOnly,
    CountsWhatIsReplaced,
    RemovesAfterItPuts,
    MakesRoomForNothing,
    HidesThatItIsFull,
    TakesBackWhatARefusalRemoved,
    NeedsRoomForTheSame,
    CountsBeforeItDrops,
    EvictsTheOneSeenLast,
    DropsWhereItIsToEvict,
    EvictsWhereItIsToDrop,
    TheLargestIdMakesRoom,
    CountsWhatIsEvicting,
    DoesNotCountReservations,
    MakesRoomForOneOnly,
    LetsOneMoreIn,
    HoldsFiftyAtMost,
    MixesSubjects,
    DoesNotLock,
    SweepsEverythingOfASubject,
    SweepsEarly,
    TellsEvictingTwice,
    TellsOfNoReservations,
    CountsNothingUnreadable,
    CountsTheUnreadableAgainstTheLimit,
    SweepsTheUnreadable,
    PutsInThePlaceOfTheUnreadable,
}

use Flaw::*;

/// Each flaw, and the check that has to find it. Others may as well.
pub const FLAWS: &[(Flaw, &str)] = &[
    (CountsWhatIsOnlyRead, "a new index has no rows"),
    (ForgetsWhatWasPut, "a row that was put is there"),
    (AnswersWithTheRowsFromBefore, "a row that was put is there"),
    (
        IsText,
        "facts and labels of any bytes are kept, also empty and the largest",
    ),
    (
        CutsFacts,
        "facts and labels of any bytes are kept, also empty and the largest",
    ),
    (
        ComparesTimesAsFloats,
        "times of zero and the largest are kept and compared",
    ),
    (KeepsTheOldFacts, "a row replaces that of the same session"),
    (
        TheLastTimeCounts,
        "of two times of a session the later stays",
    ),
    (ListsWhatIsEvicting, "what is evicting stays so"),
    (EmptiesLabels, "an empty label leaves the one from before"),
    (
        KeepsWhatIsJustOver,
        "rows are dropped at the moment when they are over",
    ),
    (
        DropsWhatIsAlmostOver,
        "rows are dropped at the moment when they are over",
    ),
    (IgnoresRemovals, "removed rows are dropped, and no others"),
    (
        RemovesTheFirstOnly,
        "removed rows are dropped, and no others",
    ),
    (
        CountsWhatIsReplaced,
        "what a row takes the place of is not counted, and stays",
    ),
    (
        RemovesAfterItPuts,
        "a row of a session that is removed is put anew",
    ),
    (
        MakesRoomForNothing,
        "an update without a row puts nothing, at any limit",
    ),
    (
        HidesThatItIsFull,
        "a full subject refuses a row, and says so",
    ),
    (
        TakesBackWhatARefusalRemoved,
        "a full subject refuses a row, and says so",
    ),
    (
        NeedsRoomForTheSame,
        "a session that has a row needs no room",
    ),
    (
        CountsBeforeItDrops,
        "what is over or removed makes room before it is counted",
    ),
    (
        EvictsTheOneSeenLast,
        "the one that was not seen for the longest time is evicted",
    ),
    (
        DropsWhereItIsToEvict,
        "the one that was not seen for the longest time is evicted",
    ),
    (
        EvictsWhereItIsToDrop,
        "the one that was not seen for the longest time is dropped",
    ),
    (
        TheLargestIdMakesRoom,
        "of those seen at once that of the smallest id makes room",
    ),
    (CountsWhatIsEvicting, "what is evicting is not counted"),
    (DoesNotCountReservations, "reservations are counted"),
    (
        MakesRoomForOneOnly,
        "below what there are as many make room as it takes",
    ),
    (LetsOneMoreIn, "a limit of one and the largest one hold"),
    (HoldsFiftyAtMost, "a limit of one and the largest one hold"),
    (MixesSubjects, "subjects do not mix"),
    (DoesNotLock, "updates at once lose nothing"),
    (DoesNotLock, "updates at once do not exceed a limit"),
    (ListsWhatIsEvicting, "random updates end as the rules say"),
    (
        SweepsEverythingOfASubject,
        "a sweep forgets what is over, and nothing else",
    ),
    (
        SweepsEarly,
        "a sweep forgets what is over, and nothing else",
    ),
    (TellsEvictingTwice, "every row is handed over once"),
    (TellsOfNoReservations, "every row is handed over once"),
    (
        CountsNothingUnreadable,
        "a row that is not understood is left alone, not counted, and told",
    ),
    (
        CountsTheUnreadableAgainstTheLimit,
        "a row that is not understood is left alone, not counted, and told",
    ),
    (
        SweepsTheUnreadable,
        "a row that is not understood is left alone, not counted, and told",
    ),
    (
        PutsInThePlaceOfTheUnreadable,
        "a row that is not understood is left alone, not counted, and told",
    ),
];
