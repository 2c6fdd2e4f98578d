//! Verification of a journal: its snapshot, the chain of its entries, and that a copy made from them ends as the newest
//! entry says. All of it is read in one transaction, so that processes that append or put a snapshot meanwhile do not
//! disturb it.

use super::{
    JournalOptions, MoveError, Position,
    entry::{Digest, Entry, Heads, digest_of},
    follow::heads,
    postgres::{Fault, Origin, Session},
};
use crate::{
    domain::digest::{Running, sha256_of},
    store::{owned_file, sql::store_error, verify::Check},
};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

/// Verifies a journal, and compares its newest entry with `copy`, a file that was just made from it. If none could be
/// made, `copy` is the reason.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn all(options: &JournalOptions, copy: Result<&Path, String>) -> Result<Vec<Check>, MoveError> {
    let session = Session::connect(&options.connect).await?;
    session.begin_reading().await?;
    let origin = session.origin().await?.ok_or_else(|| MoveError::Journal("the journal is empty".to_owned()))?;
    let mut found = Found::default();
    let snapshot = snapshot(&session, &origin).await?;
    let entries = entries(&session, &origin, &mut found).await?;
    let texts = texts(&session, &found.texts).await?;
    let ends = match copy {
        Ok(path) => ends(&session, path, &found).await?,
        Err(why) => Some(why),
    };
    let checks = [
        ("journal_snapshot", snapshot),
        ("journal_entries", entries),
        ("journal_texts", texts),
        ("journal_ends", ends),
    ];
    Ok(checks.into_iter().map(|(name, fault)| Check { name, fault }).collect())
}

/// What the entries have told.
#[derive(Default)]
struct Found {
    texts: BTreeSet<Digest>,
    /// The newest entry.
    newest: Option<(i64, Digest)>,
}

/// The snapshot is what was put there.
async fn snapshot(session: &Session, origin: &Origin) -> Result<Option<String>, Fault> {
    let mut digest = Running::default();
    for part in 0..origin.parts {
        match session.part(origin.snapshot, part).await? {
            Some(body) => digest.update(&body),
            None => return Ok(Some(format!("part {part} of the snapshot at entry {} is missing", origin.snapshot))),
        }
    }
    let is_whole = digest.finish() == origin.digest;
    Ok((!is_whole).then(|| format!("the snapshot at entry {} is not as it was written", origin.snapshot)))
}

/// Each entry is as it was written and follows the one before, and none after the snapshot is missing.
async fn entries(session: &Session, origin: &Origin, found: &mut Found) -> Result<Option<String>, Fault> {
    let mut after = 0;
    loop {
        let page = session.after(after).await?;
        for stored in &page.entries {
            let seq = stored.seq;
            let Some(entry) = Entry::decode(&stored.body).ok().filter(|entry| entry.seq == seq) else {
                return Ok(Some(format!("entry {seq} is not as it was written")));
            };
            let is_next = match found.newest {
                Some((newest, digest)) => seq == newest + 1 && entry.before == digest,
                // Entries that a snapshot includes may be deleted.
                None => seq <= origin.snapshot + 1,
            };
            if !is_next {
                let newest = found.newest.map_or(origin.snapshot, |(newest, _)| newest);
                return Ok(Some(format!("entry {seq} does not follow entry {newest}")));
            }
            found.texts.extend(&entry.texts);
            found.newest = Some((seq, digest_of(&stored.body)));
            after = seq;
        }
        if !page.may_go_on {
            let is_short = found.newest.is_some_and(|(newest, _)| newest < origin.snapshot);
            return Ok(is_short
                .then(|| format!("entries up to {}, which the snapshot includes, are missing", origin.snapshot)));
        }
    }
}

/// The texts of all statements are there, and are those that were executed.
async fn texts(session: &Session, needed: &BTreeSet<Digest>) -> Result<Option<String>, Fault> {
    let there: HashMap<Digest, String> = session.texts().await?;
    for digest in needed {
        match there.get(digest) {
            None => return Ok(Some("the text of a statement is missing".to_owned())),
            Some(sql) if sha256_of(sql.as_bytes()) != *digest => {
                return Ok(Some(format!("this text of a statement is not as it was written: {sql}")));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The copy stands at an entry of the journal, and ends as that entry says.
async fn ends(session: &Session, path: &Path, found: &Found) -> Result<Option<String>, MoveError> {
    let look = |heads_of: Heads| {
        owned_file::inspect(path, |tx| {
            let position = Position::load(tx.connection).map_err(store_error)?;
            Ok::<_, crate::error::Error>((position, heads(tx.connection, &heads_of).map_err(store_error)?))
        })
    };
    let failed = |e: crate::error::Error| MoveError::Journal(e.to_string());
    let (Some(position), _) = look(Heads::default())?.map_err(failed)? else {
        return Ok(Some("the copy does not stand in a journal".to_owned()));
    };
    let Some(body) = session.entry(position.seq).await? else {
        // Without entries, the snapshot is all there is.
        let is_newest = found.newest.is_none_or(|(newest, _)| newest <= position.seq);
        return Ok((!is_newest).then(|| format!("entry {}, which the copy ends with, is missing", position.seq)));
    };
    if digest_of(&body) != position.digest {
        return Ok(Some(format!("the copy ends with another entry {}", position.seq)));
    }
    let Ok(entry) = Entry::decode(&body) else {
        return Ok(Some(format!("entry {} is not as it was written", position.seq)));
    };
    let (_, ends) = look(entry.heads)?.map_err(failed)?;
    let differ = ends != entry.heads;
    Ok(differ.then(|| format!("the copy has other ends of its history than entry {} says", position.seq)))
}
