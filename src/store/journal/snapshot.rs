//! Snapshots: whole copies of the rows, so that a process can join without reading the journal from its beginning, and
//! entries need not be kept for ever. One is due when the entries since the last one weigh half of it.

use super::{
    JournalOptions, Position,
    join::PART,
    postgres::{Fault, Origin, Session},
};
use crate::{
    error::{Error, Result},
    store::{
        Store,
        backup::{self, OnProgress},
        files::with_suffix,
    },
};
use rusqlite::Connection;
use std::{fs::File, os::unix::fs::FileExt, sync::atomic::Ordering};

/// Entries that weigh less than this need no snapshot: they are applied within a second or two.
const FEW_BYTES: i64 = 16 * 1024 * 1024;

/// A verified copy, and where it stands.
pub(super) struct Copy {
    pub(super) file: File,
    pub(super) origin: Origin,
}

impl Store {
    /// Puts a snapshot into the journal if one is due, and deletes entries that are not needed any more. Returns
    /// whether it was due. Only the process that has the lease does this.
    pub async fn keep_snapshot(&self) -> Result<bool> {
        let Some(journal) = &self.0.journal else { return Ok(false) };
        let asked = async {
            let session = Session::connect(&journal.options.connect).await?;
            let origin = session.origin().await?.ok_or_else(|| Fault::Refused("the journal is empty".to_owned()))?;
            let weight = session.weight_after(origin.snapshot).await?;
            Ok::<_, Fault>((origin, weight))
        };
        let fault = |fault: Fault| Error::internal(fault.to_string());
        let (newest, weight) = asked.await.map_err(fault)?;
        let bytes = newest.parts * PART_BYTES;
        self.0.gauges.since_snapshot.store(weight, Ordering::Relaxed);
        self.0.gauges.snapshot.store(bytes, Ordering::Relaxed);
        let is_due = weight > FEW_BYTES.max(bytes / 2);
        if is_due {
            self.put_snapshot(&journal.options, &newest).await?;
        }
        Ok(is_due)
    }

    /// Puts a snapshot of this moment into the journal in place of `newest`.
    async fn put_snapshot(&self, options: &JournalOptions, newest: &Origin) -> Result<()> {
        let (source, partial) = (self.path().to_path_buf(), with_suffix(self.path(), ".snapshot"));
        let shared = self.0.journal.as_ref().map(|journal| std::sync::Arc::clone(&journal.shared));
        let wanted = move || shared.as_ref().is_some_and(|shared| !shared.closing.load(Ordering::Relaxed));
        let id = newest.id;
        let make = move |progress: &OnProgress| {
            let look = |copy: &Connection| Position::load(copy);
            let (position, copy) = backup::unlinked_copy_and(&source, &partial, progress, look)?;
            Ok((position, copy))
        };
        let (position, copy) = backup::on_own_thread(wanted, make).await?;
        let position = position.ok().flatten().filter(|position| position.journal == id);
        let position = position.ok_or_else(|| Error::internal("the copy does not stand in this journal"))?;
        let parts = i64::try_from(copy.bytes.div_ceil(PART as u64)).map_err(Error::internal)?;
        let origin = Origin { id, snapshot: position.seq, parts, digest: copy.digest, restored: newest.restored };
        let copy = Copy { file: copy.file, origin };
        copy.upload(options).await.map_err(|fault| Error::internal(fault.to_string()))?;
        tracing::info!(journal.entry = position.seq, "put a snapshot at entry {} into the journal", position.seq);
        Ok(())
    }
}

#[allow(clippy::cast_possible_wrap, reason = "a mebibyte")]
const PART_BYTES: i64 = PART as i64;

impl Copy {
    async fn upload(&self, options: &JournalOptions) -> Result<(), Fault> {
        let session = Session::connect(&options.connect).await?;
        session.begin_snapshot().await?;
        for part in 0..self.origin.parts {
            session.put_part(self.origin.snapshot, part, &self.part(part)?).await?;
        }
        session.end_snapshot(&self.origin).await
    }

    pub(super) fn part(&self, part: i64) -> Result<Vec<u8>, Fault> {
        let fault = |e: std::io::Error| Fault::Refused(format!("the copy cannot be read: {e}"));
        let mut bytes = vec![0; PART];
        let mut filled = 0;
        while filled < PART {
            let offset = part.unsigned_abs() * PART as u64 + filled as u64;
            match self.file.read_at(&mut bytes[filled..], offset).map_err(fault)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}
