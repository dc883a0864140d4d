//! A scenario's text, and those that it extends, as one table in which everything still has its place.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::directory::{Bounds, Directory, Opened};
use super::position::Position;
use super::schema::{self, Kind};
use super::section::Mistakes;
use super::{Assignment, Loader, Mistake, builtin};
use crate::model::text::one_line;

/// How many scenarios may extend one another.
const DEPTH: usize = 8;

/// A text, and where it is from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file, as the user named it; the built-in scenario's name.
    pub name: String,
    /// The TOML.
    pub content: String,
    /// Where its paths start from; absent for what is built in.
    pub directory: Option<Directory>,
    /// What it is, whatever its name.
    identity: Identity,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    Named(String),
    File(u64, u64),
}

impl Text {
    /// One that is no file.
    pub fn named(name: &str, content: &str) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            directory: None,
            identity: Identity::Named(name.into()),
        }
    }

    /// One that was typed, not written into a file: its paths start from this directory.
    pub fn typed(name: &str, content: &str, directory: Directory) -> Self {
        Self { directory: Some(directory), ..Self::named(name, content) }
    }

    /// The scenario's name: the file's, without its ending.
    pub fn stem(&self) -> String {
        match self.identity {
            Identity::Named(_) => self.name.clone(),
            Identity::File(..) => {
                Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
            }
        }
    }

    /// A file's.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &Opened, name: String, directory: Directory) -> std::io::Result<Self> {
        let (device, inode) = file.identity;
        Ok(Self {
            name,
            content: file.text()?,
            directory: Some(directory),
            identity: Identity::File(device, inode),
        })
    }
}

/// A scenario's text first, then what it extends. A place in one of them is a number: they are counted through.
#[derive(Debug)]
pub struct Documents {
    texts: Vec<Text>,
    loader: Loader,
}

impl Documents {
    /// Reads a scenario and all that it extends; of one that cannot be had, or is no TOML, the mistakes are told.
    pub fn read(first: Text, loader: Loader, mistakes: &Mistakes) -> Self {
        let mut documents = Self { texts: Vec::new(), loader };
        let mut next = Some(first);
        while let Some(text) = next.take() {
            let begin = documents.end();
            let extended =
                parse(&text.content, begin, mistakes).and_then(|mut table| take(&mut table, "extends"));
            let extended = extended.map(|(_, value)| (value.span(), name_of(&value)));
            documents.texts.push(text);
            let Some((span, name)) = extended else { break };
            match name.and_then(|name| documents.extended(&name)) {
                Ok(text) => next = Some(text),
                Err(message) => mistakes.add(span, message),
            }
        }
        documents
    }

    /// All that they say, as one table.
    pub fn table(&self) -> Option<DeTable<'_>> {
        let (unheard, mut begin) = (Mistakes::default(), 0);
        let tables = self.texts.iter().map(|text| {
            let mut table = parse(&text.content, begin, &unheard)?;
            begin += text.content.len() + 1;
            take(&mut table, "extends");
            Some(table)
        });
        let tables = tables.collect::<Option<Vec<_>>>()?;
        tables.into_iter().rev().reduce(|base, heir| merged(base, heir, ""))
    }

    fn extended(&self, name: &str) -> Result<Text, String> {
        let by = self.texts.last();
        let text = if let Some(content) = builtin::text(name) {
            Text::named(name, content)
        } else if Path::new(name).extension().is_none_or(|ending| ending != "toml") {
            let hint = schema::suggest(name, builtin::all().map(|(name, _)| name));
            return Err(format!("there is no built-in scenario \"{name}\", and a file is NAME.toml{hint}"));
        } else {
            let Some(directory) = by.and_then(|text| text.directory.as_ref()) else {
                return Err(format!("{name} is a file, and what is built in has none beside it"));
            };
            let file = directory.open(Path::new(name))?;
            let beside = Path::new(&by.map(|text| text.name.as_str()).unwrap_or_default())
                .parent()
                .map(Path::to_owned)
                .unwrap_or_default()
                .join(name);
            let shown = beside.to_string_lossy().into_owned();
            // From there paths may lead as far as from here, and no further.
            let own = directory.beside(Path::new(name));
            Text::of(&file, shown, own).map_err(|error| format!("{name} cannot be read: {error}"))?
        };
        let chain = || {
            let names = self.texts.iter().map(|text| text.name.as_str()).chain([name]);
            names.collect::<Vec<_>>().join(", which extends ")
        };
        if self.texts.iter().any(|known| known.identity == text.identity) {
            return Err(format!("a scenario cannot extend itself: {}", chain()));
        }
        if self.texts.len() == DEPTH {
            return Err(format!("more than {DEPTH} scenarios extend one another: {}", chain()));
        }
        Ok(text)
    }

    fn end(&self) -> usize {
        // One more than the text: its end is a place too.
        self.texts.iter().map(|text| text.content.len() + 1).sum()
    }

    /// The text in which a place is, and the place in it.
    fn find(&self, place: usize) -> Option<(&Text, usize)> {
        let mut begin = 0;
        self.texts.iter().find_map(|text| {
            let found = (place - begin <= text.content.len()).then_some((text, place - begin));
            begin += text.content.len() + 1;
            found
        })
    }

    /// Where the paths that stand at this place start from.
    pub fn directory(&self, place: &Range<usize>) -> Option<&Directory> {
        self.find(place.start)?.0.directory.as_ref()
    }

    /// The machine's tree, the root of all paths in it.
    pub fn tree(&self) -> Directory {
        Directory::of(self.loader.tree.clone(), Bounds::Root)
    }

    /// What the unit is set to, whatever the scenario says.
    pub fn assignments(&self) -> &[Assignment] {
        &self.loader.set
    }

    /// Whether files of the host may be read that are not the scenario's.
    pub fn may_read_host(&self) -> bool {
        self.loader.host_files
    }

    /// A mistake, for people.
    pub fn mistake(&self, place: &Range<usize>, message: String) -> Option<Mistake> {
        let (text, at) = self.find(place.start)?;
        // It quotes the file, which a stranger may have written.
        let message = one_line(message);
        Some(Mistake { file: text.name.clone(), at: Some(Position::of(&text.content, at)), message })
    }
}

/// What `extends` has.
fn name_of(value: &Spanned<DeValue>) -> Result<String, String> {
    let kind = value.get_ref().type_str();
    let name = value.get_ref().as_str().map(ToOwned::to_owned);
    name.ok_or_else(|| {
        format!("extends is to be a string, a file or a built-in scenario, and is of type {kind}")
    })
}

/// A text as a table, the places in which are counted from `begin` on. [`None`]: it is no TOML, and the rest would be a guess.
fn parse<'a>(text: &'a str, begin: usize, mistakes: &Mistakes) -> Option<DeTable<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        mistakes.add(span.start + begin..span.end + begin, error.message().trim());
    }
    errors.is_empty().then(|| moved(document.into_inner(), begin))
}

/// The table with its places counted on from `begin`.
fn moved(table: DeTable<'_>, begin: usize) -> DeTable<'_> {
    let counted_on = |span: Range<usize>| span.start + begin..span.end + begin;
    table
        .into_iter()
        .map(|(key, value)| {
            let at = counted_on(key.span());
            (Spanned::new(at, key.into_inner()), moved_value(value, begin))
        })
        .collect()
}

fn moved_value(value: Spanned<DeValue<'_>>, begin: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(moved(table, begin)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|value| moved_value(value, begin)).collect())
        }
        other => other,
    };
    Spanned::new(span.start + begin..span.end + begin, value)
}

type Entry<'a> = (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>);

/// Takes a key out of a table.
pub fn take<'a>(table: &mut DeTable<'a>, key: &str) -> Option<Entry<'a>> {
    table.remove_entry(key)
}

/// What the heir says in place of what the base says, table by table and key by key.
///
/// A table of the heir that names what it is about (a fault, an outcome) is taken as a whole: what else the base's table has belongs to
/// what is there no longer.
fn merged<'a>(mut base: DeTable<'a>, heir: DeTable<'a>, table: &str) -> DeTable<'a> {
    if heir.keys().any(|key| schema::heads(table).contains(&key.get_ref().as_ref())) {
        return heir;
    }
    for (key, value) in heir {
        let old = take(&mut base, key.get_ref()).map(|(_, value)| value);
        let kind = schema::known(table).iter().find(|known| known.name == key.get_ref()).map(|key| key.kind);
        let inner = match kind {
            Some(Kind::Table(name) | Kind::Tables(name)) => Some(name),
            Some(Kind::Requires | Kind::Files | Kind::Directories) => Some(OWN),
            Some(Kind::Assignments) => Some(SECTIONS),
            None if table == SECTIONS => Some(OWN),
            _ => None,
        };
        let span = value.span();
        let value = match (inner, old.map(Spanned::into_inner), value.into_inner()) {
            (Some(inner), Some(DeValue::Table(old)), DeValue::Table(new)) => {
                DeValue::Table(merged(old, new, inner))
            }
            (_, _, value) => value,
        };
        base.insert(key, Spanned::new(span, value));
    }
    base
}

/// Tables with keys of the user's own: such of directives, and such of sections with directives.
const OWN: &str = "KEY";
const SECTIONS: &str = "SECTION.KEY";
