//! The answer to the last step of a command on a journal is lost, and the command finds out what has happened.

use super::{
    cut::{Cut, Fate},
    database::Database,
    flags, flags_at, names, serve, set_of, succeed,
};
use crate::{
    backup::{place_order, references},
    support::TestDir,
};

#[test]
fn a_restore_whose_last_answer_is_lost_finds_out_what_has_happened() {
    let restored = "restored the journal in PostgreSQL from backup.db";
    for (fate, code, says) in [
        (Fate::Committed, 0, restored),
        (Fate::CommittedLater, 0, restored),
        (Fate::Lost, 1, "; nothing was changed"),
        (Fate::CommittedAndUnreachable, 1, "the answer to the last step was lost"),
    ] {
        let Some(database) = Database::new() else { return };
        let dir = TestDir::new();
        let server = serve(&dir, &database);
        let admin = server.admin();
        assert!(place_order(&admin, "old"));
        succeed(&dir, &format!("backup {} --out backup.db", flags(&database)));
        assert!(place_order(&admin, "new"));
        assert_eq!(server.stop().0, Some(0));

        let cut = Cut::new(&database, "UPDATE orderd.turn SET snapshot", fate);
        let outcome = dir.run(&format!("restore {} backup.db", flags_at(&cut.url)));
        assert!(cut.is_done(), "{fate:?}: {outcome:?}");
        assert_eq!(outcome.code, code, "{fate:?}: {outcome:?}");
        assert!(format!("{}{}", outcome.out, outcome.err).contains(says), "{fate:?}: {outcome:?}");
        succeed(&dir, &format!("verify {}", flags(&database)));
        succeed(&dir, &format!("backup {} --out after.db", flags(&database)));
        let (there, kept) =
            if fate == Fate::Lost { (set_of(&["new", "old"]), None) } else { (set_of(&["old"]), Some(["new", "old"])) };
        assert_eq!(references(&dir.path().join("after.db")), there, "{fate:?}");
        // What was there before may be gone, so it is kept.
        let former = names(&dir).into_iter().find(|name| name.starts_with("copy.db.before-restore-"));
        let former = former.map(|name| references(&dir.path().join(name)));
        assert_eq!(former, kept.map(|kept| set_of(&kept)), "{fate:?}: {outcome:?}");
    }
}

#[test]
fn a_move_whose_last_answer_is_lost_finds_out_what_has_happened() {
    let moved = "verified, are in the journal";
    for (fate, code, says) in [
        (Fate::Committed, 0, moved),
        (Fate::CommittedLater, 0, moved),
        (Fate::Lost, 1, "; nothing was changed"),
        (Fate::CommittedAndUnreachable, 1, "the answer to the last step was lost"),
    ] {
        let Some(database) = Database::new() else { return };
        let dir = TestDir::new();
        succeed(&dir, "demo --db orders.db --orders 20");
        let cut = Cut::new(&database, "INSERT INTO orderd.turn", fate);
        let outcome = dir.run(&format!("move --from orders.db --to {}", cut.url));
        assert!(cut.is_done(), "{fate:?}: {outcome:?}");
        assert_eq!(outcome.code, code, "{fate:?}: {outcome:?}");
        assert!(format!("{}{}", outcome.out, outcome.err).contains(says), "{fate:?}: {outcome:?}");
        let again = dir.run(&format!("move --from orders.db --to {}", database.url));
        if fate == Fate::Lost {
            assert_eq!(again.code, 0, "{fate:?}: {again:?}");
        } else {
            assert!(again.err.contains("the journal is not empty"), "{fate:?}: {again:?}");
        }
        succeed(&dir, &format!("verify {}", flags(&database)));
        assert_eq!(succeed(&dir, &format!("export {}", flags(&database))).lines().count(), 20);
    }
}
