//! What reading a dataset showed.

use super::Look;

/// What reading a dataset showed, beside its items, that people should know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many files were read; 0 for items that are drawn.
    pub files: usize,
    /// Files and folders that were not read.
    pub passed_over: Vec<PassedOver>,
    /// What was chosen because nothing else was asked for, a sentence each, with the flag that changes it.
    pub notes: Vec<String>,
    /// Whether the dataset repeats images by its construction, so that copies are no mistake.
    pub copies: bool,
    /// How pictures became pixels; none where they were pixels from the start.
    pub look: Option<Look>,
}

/// A file or folder that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// What it is called within the dataset.
    pub name: String,
    /// Why it was not read, in a few words: `no picture`, `a hidden file`.
    pub why: String,
}
