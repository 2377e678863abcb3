//! The stores, and in which ways they differ.

use harness::stores::Kind;

/// A store's treatment of a write on a condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conditions {
    /// Refused.
    Kept,
    /// Refused, but of writes at the same time several may pass.
    Racy,
    /// Carried out.
    Ignored,
}

/// A store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    /// Part of every `.ci/run`.
    pub(crate) quick: bool,
    pub(crate) conditions: Conditions,
    /// The character that a backslash in a key becomes; `None` where it is refused.
    pub(crate) backslash: Option<char>,
}

const fn row(kind: Kind, quick: bool, conditions: Conditions, backslash: Option<char>) -> Row {
    Row { kind, quick, conditions, backslash }
}

/// All of them.
pub(crate) const STORES: [Row; 10] = [
    row(Kind::Versitygw, true, Conditions::Kept, Some('\\')),
    row(Kind::Azurite, true, Conditions::Kept, Some('/')),
    row(Kind::FakeGcs, true, Conditions::Kept, Some('\\')),
    row(Kind::GcpEmulator, false, Conditions::Ignored, Some('\\')),
    row(Kind::Moto, false, Conditions::Kept, Some('\\')),
    row(Kind::Rclone, false, Conditions::Kept, Some('\\')),
    row(Kind::S3rver, false, Conditions::Ignored, Some('\\')),
    row(Kind::S3Mock, false, Conditions::Racy, None),
    row(Kind::S3Proxy, false, Conditions::Racy, Some('\\')),
    row(Kind::Rgw, false, Conditions::Kept, Some('\\')),
];
