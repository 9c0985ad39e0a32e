//! The stores and indexes of one task: ids and names, each used once.

use std::fmt::Write;

use stagedoor_avro::AvroRecord;

use crate::derived::{DerivedChanges, Side};
use crate::keys::KeyReader;
use crate::{ChangelogKind, EntryIndex, Key, StateError, Store, SumIndex};

/// Store id of meta rows: positions and the like, written by the runtime.
pub(crate) const META_ID: u8 = 0;
/// Store id of the entries (expiry, physical key) of windowed rows.
pub(crate) const EXPIRY_ID: u8 = 254;
/// Store id of what this crate remembers about a task's stored data.
pub(crate) const INTERNAL_ID: u8 = 255;

/// What an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A store of source rows, with its changelog.
    Store(ChangelogKind),
    /// A derived index of entries.
    Entries,
    /// A derived index of sums.
    Sums,
}

/// The stores and indexes of one task.
pub struct StoreSet {
    /// By id.
    members: Vec<Option<Member>>,
}

struct Member {
    name: &'static str,
    kind: StoreKind,
    rows: Option<Box<dyn SourceRows>>,
}

impl StoreSet {
    /// Starts an empty set.
    #[must_use]
    pub fn builder() -> StoreSetBuilder {
        StoreSetBuilder {
            members: Vec::new(),
        }
    }

    /// Names and kinds in the order of their ids.
    pub fn list(&self) -> impl Iterator<Item = (u8, &'static str, StoreKind)> {
        self.present()
            .map(|(id, member)| (id, member.name, member.kind))
    }

    /// The name behind an id, for messages.
    pub(crate) fn name(&self, id: u8) -> &str {
        match (&self.members[usize::from(id)], id) {
            (Some(member), _) => member.name,
            (None, META_ID) => "meta",
            (None, EXPIRY_ID) => "expiry",
            (None, _) => "unknown",
        }
    }

    pub(crate) fn kind(&self, id: u8) -> Option<StoreKind> {
        match &self.members[usize::from(id)] {
            Some(member) => Some(member.kind),
            None => (id == EXPIRY_ID).then_some(StoreKind::Entries),
        }
    }

    /// Checks that a handle belongs to this set.
    pub(crate) fn check(&self, id: u8, name: &'static str) -> Result<(), StateError> {
        match &self.members[usize::from(id)] {
            Some(member) if member.name == name => Ok(()),
            Some(_) | None => Err(StateError::UnknownStore {
                id,
                name: name.to_owned(),
            }),
        }
    }

    /// The rows of the store that a physical key belongs to.
    pub(crate) fn source_of(&self, key: &[u8]) -> Result<&dyn SourceRows, StateError> {
        let id = key.first().copied().unwrap_or(META_ID);
        let member = self.members[usize::from(id)].as_ref();
        member
            .and_then(|member| member.rows.as_deref())
            .ok_or_else(|| StateError::UnknownStore {
                id,
                name: "changelog record".to_owned(),
            })
    }

    /// Which changelog a physical key goes to; none for everything that is not a source row.
    pub(crate) fn changelog_of(&self, key: &[u8]) -> Option<ChangelogKind> {
        match self.kind(*key.first()?)? {
            StoreKind::Store(changelog) => Some(changelog),
            StoreKind::Entries | StoreKind::Sums => None,
        }
    }

    pub(crate) fn is_source(&self, id: u8) -> bool {
        self.members[usize::from(id)]
            .as_ref()
            .is_some_and(|member| member.rows.is_some())
    }

    pub(crate) fn source_ids(&self) -> impl Iterator<Item = u8> {
        self.present()
            .filter(|(_, member)| member.rows.is_some())
            .map(|(id, _)| id)
    }

    /// The ids of everything that is derived, the expiry entries included.
    pub(crate) fn derived_ids(&self) -> impl Iterator<Item = u8> {
        let indexes = self.present().filter(|(_, member)| member.rows.is_none());
        indexes.map(|(id, _)| id).chain([EXPIRY_ID])
    }

    /// One line per member, as it is kept beside the data.
    pub(crate) fn layout(&self) -> String {
        self.list()
            .fold(String::new(), |mut text, (id, name, kind)| {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{id} {} {name}", kind.word());
                text
            })
    }

    fn present(&self) -> impl Iterator<Item = (u8, &Member)> {
        (0..=u8::MAX)
            .zip(&self.members)
            .filter_map(|(id, slot)| Some((id, slot.as_ref()?)))
    }
}

impl StoreKind {
    /// The word for this kind in the stored layout and in descriptions.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Store(ChangelogKind::Compacted) => "store",
            Self::Store(ChangelogKind::Window) => "windowed",
            Self::Entries => "entries",
            Self::Sums => "sums",
        }
    }
}

/// Collects stores and indexes.
pub struct StoreSetBuilder {
    members: Vec<(u8, Member)>,
}

impl StoreSetBuilder {
    /// Adds a store.
    #[must_use]
    pub fn store<K: Key + 'static, V: AvroRecord + 'static>(self, store: &Store<K, V>) -> Self {
        let kind = StoreKind::Store(store.changelog());
        self.member(store.id(), store.name(), kind, Some(Box::new(*store)))
    }

    /// Adds an index of entries.
    #[must_use]
    pub fn index<K>(self, index: &EntryIndex<K>) -> Self {
        self.member(index.id(), index.name(), StoreKind::Entries, None)
    }

    /// Adds an index of sums.
    #[must_use]
    pub fn sum<K>(self, index: &SumIndex<K>) -> Self {
        self.member(index.id(), index.name(), StoreKind::Sums, None)
    }

    /// Checks the rules and closes the set.
    ///
    /// # Errors
    /// [`StateError::InvalidStoreSet`] for an id or a name that is used twice, reserved or empty,
    /// and for a windowed store that declares indexes.
    pub fn build(self) -> Result<StoreSet, StateError> {
        let mut members: Vec<Option<Member>> = (0..=u8::MAX).map(|_| None).collect();
        for (id, member) in self.members {
            let reason = broken_rule(&members, id, &member);
            if let Some(rule) = reason {
                let reason = format!("{rule}: {id} {:?}", member.name);
                return Err(StateError::InvalidStoreSet { reason });
            }
            members[usize::from(id)] = Some(member);
        }
        Ok(StoreSet { members })
    }

    fn member(
        mut self,
        id: u8,
        name: &'static str,
        kind: StoreKind,
        rows: Option<Box<dyn SourceRows>>,
    ) -> Self {
        self.members.push((id, Member { name, kind, rows }));
        self
    }
}

fn broken_rule(members: &[Option<Member>], id: u8, member: &Member) -> Option<&'static str> {
    let same_name = |other: &&Member| other.name == member.name;
    if matches!(id, META_ID | EXPIRY_ID | INTERNAL_ID) {
        Some("reserved id")
    } else if member.name.is_empty() || member.name.contains(char::is_whitespace) {
        Some("name is empty or has blanks")
    } else if members[usize::from(id)].is_some() {
        Some("id used twice")
    } else if members.iter().flatten().any(|other| same_name(&other)) {
        Some("name used twice")
    } else if member
        .rows
        .as_ref()
        .is_some_and(|rows| rows.purged_with_indexes())
    {
        Some("windowed store with derived indexes")
    } else {
        None
    }
}

/// A store whose row types are erased: for changelog records, digests and rebuilds.
pub(crate) trait SourceRows: Send + Sync {
    /// Whether a write has to look at the row that it replaces.
    fn has_derived_rows(&self) -> bool;

    /// Whether purging rows would change derived indexes.
    fn purged_with_indexes(&self) -> bool;

    /// Collects what a stored row contributes to derived rows.
    fn derive(
        &self,
        side: Side,
        key: &[u8],
        value: &[u8],
        changes: &mut DerivedChanges,
    ) -> Result<(), StateError>;

    /// Whether a stored row is past its time.
    fn expired(&self, key: &[u8], value: &[u8], now_ms: i64) -> Result<bool, StateError>;
}

impl<K: Key, V: AvroRecord> SourceRows for Store<K, V> {
    fn has_derived_rows(&self) -> bool {
        Store::has_derived_rows(self)
    }

    fn purged_with_indexes(&self) -> bool {
        self.expiry().is_some() && self.declares_indexes()
    }

    fn derive(
        &self,
        side: Side,
        key: &[u8],
        value: &[u8],
        changes: &mut DerivedChanges,
    ) -> Result<(), StateError> {
        let row: V = self.decode(key, value)?;
        let typed: K = KeyReader::whole(&key[1..])
            .map_err(|error| StateError::corrupted(self.name(), key, &error))?;
        Store::derive(self, side, key, (&typed, &row), changes);
        Ok(())
    }

    fn expired(&self, key: &[u8], value: &[u8], now_ms: i64) -> Result<bool, StateError> {
        let Some(expires_at_ms) = self.expiry() else {
            return Ok(false);
        };
        let row: V = self.decode(key, value)?;
        Ok(expires_at_ms(&row) <= now_ms)
    }
}
