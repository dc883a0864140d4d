//! The unit and its drop-ins.

use serde::Serialize;

use crate::model::case::CaseId;
use crate::model::moment;

/// The unit's files, as they are in force from the telling's moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// In which case that was told; it is so in the next ones on its machine, too.
    pub case: CaseId,
    /// Of which scenario the case is.
    pub scenario: String,
    /// The unit file and its drop-ins, in the order in which systemd reads them.
    pub files: Vec<File>,
}

/// A file of the unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl From<&moment::UnitFile> for File {
    fn from(moment::UnitFile { path, text }: &moment::UnitFile) -> Self {
        Self { path: path.clone(), text: text.clone() }
    }
}
