//! Which scenarios are meant: files, folders, built-in ones by name or by tag.

use std::path::{Path, PathBuf};

use super::directory::{Bounds, Directory, Opened};
use super::document::{Documents, Text};
use super::matrix;
use super::mistake::{Mistake, ScenarioError};
use super::section::{Mistakes, Section};
use super::{Assignment, Scenario, builtin};

/// How scenarios are read.
#[derive(Clone, Debug)]
pub struct Loader {
    /// Whether a scenario may name files of the host outside of its own directory.
    pub host_files: bool,
    /// The tree whose `/usr` is booted.
    pub tree: PathBuf,
    /// What the unit is set to besides.
    pub set: Vec<Assignment>,
}

impl Default for Loader {
    fn default() -> Self {
        Self { host_files: false, tree: "/".into(), set: Vec::new() }
    }
}

impl Loader {
    /// Reads all that are meant: a file, a built-in scenario by its name, in the order of their names those of a folder (not of folders in
    /// it), or all built-in ones with a tag. Mistakes of several files are told together.
    ///
    /// # Errors
    /// What cannot be read, or all mistakes.
    pub fn load_all<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Scenario>, ScenarioError> {
        let (mut scenarios, mut wrong) = (Vec::new(), Vec::new());
        for name in names {
            for text in self.texts(name)? {
                match self.read(text) {
                    Ok(variants) => scenarios.extend(variants),
                    Err(ScenarioError::Invalid(mistakes)) => wrong.extend(mistakes),
                    Err(error) => return Err(error),
                }
            }
        }
        if wrong.is_empty() { Ok(scenarios) } else { Err(ScenarioError::Invalid(wrong)) }
    }

    /// The texts that are meant by a word.
    fn texts(&self, name: &str) -> Result<Vec<Text>, ScenarioError> {
        if let Some(text) = builtin::text(name) {
            return Ok(vec![Text::named(name, text)]);
        }
        let path = Path::new(name);
        if path.is_dir() {
            return self.folder(path);
        }
        let tagged = builtin::tagged(name);
        if !tagged.is_empty() && !path.exists() {
            return Ok(tagged);
        }
        let directory = Directory::of(path.parent().map(Path::to_owned).unwrap_or_default(), self.bounds());
        let text = Opened::anywhere(path).and_then(|file| Text::of(&file, name.into(), directory));
        text.map(|text| vec![text]).map_err(|source| ScenarioError::Unreadable { path: path.into(), source })
    }

    /// The scenarios of a folder.
    fn folder(&self, path: &Path) -> Result<Vec<Text>, ScenarioError> {
        let unreadable = |path: PathBuf| move |source| ScenarioError::Unreadable { path, source };
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let entries = entries.map_err(unreadable(path.into()))?;
        let paths = entries.into_iter().map(|entry| PathBuf::from(entry.file_name()));
        let mut names = paths
            .filter(|name| {
                name.extension().is_some_and(|ending| ending == "toml") && path.join(name).is_file()
            })
            .collect::<Vec<_>>();
        names.sort();
        if names.is_empty() {
            let empty = std::io::Error::other("there is no scenario (NAME.toml) in this folder");
            return Err(unreadable(path.into())(empty));
        }
        let directory = Directory::of(path.into(), self.bounds());
        let texts = names.into_iter().map(|name| {
            // A link among them is as the paths in a scenario.
            let whole = path.join(&name);
            let text = directory
                .open(&name)
                .map_err(std::io::Error::other)
                .and_then(|file| Text::of(&file, whole.to_string_lossy().into_owned(), directory.clone()));
            text.map_err(unreadable(whole))
        });
        texts.collect()
    }

    fn bounds(&self) -> Bounds {
        if self.host_files { Bounds::None } else { Bounds::Beneath }
    }

    /// The variants that a text makes, with all that it extends.
    pub(super) fn read(&self, text: Text) -> Result<Vec<Scenario>, ScenarioError> {
        let name = text.stem();
        let mistakes = Mistakes::default();
        let documents = Documents::read(text, self.clone(), &mistakes);
        // What is extended and cannot be had would be missed in every table.
        let table = Some(&documents).filter(|_| mistakes.is_empty()).and_then(Documents::table);
        let variants = table.map(|table| matrix::variants(table, &mistakes)).unwrap_or_default();
        let read = variants.into_iter().map(|(label, table)| {
            let name = if label.is_empty() { name.clone() } else { format!("{name}[{label}]") };
            Scenario::read(&Section::top(&table, &mistakes), &name, &documents)
        });
        let read = read.collect::<Option<Vec<_>>>();
        let mistakes = mistakes.sorted();
        let mistakes: Vec<Mistake> =
            mistakes.into_iter().filter_map(|(at, message)| documents.mistake(&at, message)).collect();
        read.filter(|_| mistakes.is_empty()).ok_or(ScenarioError::Invalid(mistakes))
    }
}
