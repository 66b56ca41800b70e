//! What can be wrong with a log, and which check has to notice it.

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    ForgetsPublications,
    StoresTheFirstOfABatch,
    SaysFreshOfWhatItKnew,
    HidesSuccessions,
    Assigns,
    KeepsTheShorterUntil,
    FindsNothingOfSubjects,
    FindsNothingOfAnonymousSessions,
    RaisesRepeatsAgain,
    RemembersOneRaise,
    IgnoresWhatTheCallerKnows,
    IgnoresHowLongToRemember,
    SparesNobody,
    SparesTheDead,
    TheLargerRaiseCounts,
    WrapsAtTheTop,
    KeepsAnyNumber,
    HidesThatRoomWasMade,
    HidesFromFollowersThatRoomWasMade,
    SaysFreshOfWhatHasEnded,
    TakesWhatIsAheadOfItsClock,
    StoresHalfOfWhatItRefuses,
    ForgetsAnnouncements,
    TheLastAnnouncementCounts,
    SweepsNothing,
    SweepsEarly,
    EveryoneExpires,
    SkipsTheLastPublication,
    HidesRaises,
    NeverAnswersWithNothingToTell,
    NeverTellsItsState,
    FollowsAnyCursor,
    NotesTheCursorLast,
    TheLastAttestationCounts,
    AttestsForAnyIncarnation,
    HidesAttestations,
    KeepsItsEpoch,
    KeepsItsServer,
    HidesThatTheServerWasReplaced,
    AnswersForAnotherIncarnation,
    NeverSettles,
    IsSettledAtOnce,
    RevokingProlongs,
    RestoringProlongsNothing,
    RestoringProlongsWithoutAnEnd,
    NoRestorationIsTheFirst,
    CountsNothingUnreadable,
    LeavesOutTheUnreadable,
}

use Fault::*;

/// Each fault, and the check that has to notice it. Others may as well.
pub const FAULTS: &[(Fault, &str)] = &[
    (ForgetsPublications, "published entries are in the snapshot"),
    (
        StoresTheFirstOfABatch,
        "ten thousand entries in one publication",
    ),
    (
        SaysFreshOfWhatItKnew,
        "publishing twice changes nothing and succeeds",
    ),
    (
        SaysFreshOfWhatItKnew,
        "of concurrent renewals exactly one is fresh",
    ),
    (
        HidesSuccessions,
        "a login over a session shows in later publications about it",
    ),
    (Assigns, "joining takes the stricter of two entries"),
    (Assigns, "the order of publications does not matter"),
    (KeepsTheShorterUntil, "a later `until` is what counts"),
    (
        FindsNothingOfSubjects,
        "all entries that concern one session are found",
    ),
    (
        FindsNothingOfAnonymousSessions,
        "all entries that concern one session are found",
    ),
    (
        RaisesRepeatsAgain,
        "a repeated raise returns the same and raises nothing",
    ),
    (
        RemembersOneRaise,
        "a repeat of one of the last four raises is recognised, too",
    ),
    (
        IgnoresWhatTheCallerKnows,
        "a raise follows the stored and the known value and the clock",
    ),
    (
        IgnoresHowLongToRemember,
        "a raise is remembered for the longest life announced",
    ),
    (
        SparesNobody,
        "a raise spares one session, which keeps what held for it",
    ),
    (
        SparesTheDead,
        "a raise spares one session, which keeps what held for it",
    ),
    (
        TheLargerRaiseCounts,
        "a raise that comes late ends who was spared meanwhile",
    ),
    (WrapsAtTheTop, "at the top of its range a raise is an error"),
    (
        KeepsAnyNumber,
        "anonymous sessions that began first make room, and are refused from then on",
    ),
    (
        KeepsAnyNumber,
        "anonymous sessions that began together make room together",
    ),
    (
        HidesThatRoomWasMade,
        "anonymous sessions that began first make room, and are refused from then on",
    ),
    (
        HidesFromFollowersThatRoomWasMade,
        "making room is told to followers",
    ),
    (
        SaysFreshOfWhatHasEnded,
        "an entry of a refused session is not stored, and answered as ended",
    ),
    (
        TakesWhatIsAheadOfItsClock,
        "the end of an anonymous session that began ahead of the clock is kept in the main list",
    ),
    (
        StoresHalfOfWhatItRefuses,
        "the end of an anonymous session that began ahead of the clock is kept in the main list",
    ),
    (
        ForgetsAnnouncements,
        "a raise is remembered for the longest life announced",
    ),
    (
        TheLastAnnouncementCounts,
        "the largest of each announcement counts",
    ),
    (SweepsNothing, "a sweep drops entries after their time"),
    (SweepsEarly, "a sweep drops nothing before its time"),
    (EveryoneExpires, "everyone's generation never expires"),
    (
        SkipsTheLastPublication,
        "following delivers publications after the snapshot",
    ),
    (HidesRaises, "following delivers raises"),
    (
        NeverAnswersWithNothingToTell,
        "a waiting follower is woken or answered",
    ),
    (
        NeverTellsItsState,
        "a follower is told the state at least once a second",
    ),
    (FollowsAnyCursor, "following from a foreign cursor is a gap"),
    (
        NotesTheCursorLast,
        "nothing is missed between snapshot and following",
    ),
    (TheLastAttestationCounts, "the earliest attestation counts"),
    (
        AttestsForAnyIncarnation,
        "an attestation of another incarnation changes nothing",
    ),
    (HidesAttestations, "a follower is told of an attestation"),
    (
        KeepsItsEpoch,
        "a log that lost everything begins a new epoch",
    ),
    (
        KeepsItsServer,
        "another server shows, and has what was acknowledged",
    ),
    (
        HidesThatTheServerWasReplaced,
        "following fails once when another server answers",
    ),
    (
        AnswersForAnotherIncarnation,
        "a restoration is stored, and answered with the incarnation that took it",
    ),
    (NeverSettles, "a log settles after it began"),
    (IsSettledAtOnce, "a log settles after it began"),
    (IsSettledAtOnce, "another server settles"),
    (RevokingProlongs, "revoking does not prolong settling"),
    (
        RestoringProlongsNothing,
        "restoring prolongs settling if it changes something",
    ),
    (
        RestoringProlongsWithoutAnEnd,
        "settling ends with the outage announced, but for first restorations",
    ),
    (
        RestoringProlongsWithoutAnEnd,
        "ends of anonymous sessions prolong nothing but in a first restoration",
    ),
    (
        RestoringProlongsWithoutAnEnd,
        "restoring over an entry that is not understood prolongs nothing",
    ),
    (
        NoRestorationIsTheFirst,
        "settling ends with the outage announced, but for first restorations",
    ),
    (
        CountsNothingUnreadable,
        "an entry that is not understood is counted, left alone and counts as ended",
    ),
    (
        LeavesOutTheUnreadable,
        "an entry that is not understood is counted, left alone and counts as ended",
    ),
];
