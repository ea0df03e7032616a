//! Documents in zip archives.

use footnote_ingest::Outcome;

use crate::files::{Folder, zip};
use crate::knowledge::Knowledge;

#[tokio::test]
async fn each_file_in_an_archive_is_a_document() {
    let archive = zip(&[
        ("bread.txt", b"Rye bread."),
        ("more/page.html", b"<html><body><p>Wheat bread.</p></body></html>"),
        (".hidden/notes.txt", b"Not for you."),
        ("__MACOSX/._bread.txt", b"Nor this."),
        ("picture.png", b"\x89PNG"),
    ]);
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("old.zip", &archive));
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.sources().await, ["docs/old.zip/bread.txt", "docs/old.zip/more/page.html"]);
    assert_eq!((report.added, report.skipped.len()), (2, 1), "{report:?}");
    assert_eq!(knowledge.text("docs/old.zip/more/page.html").await, "Wheat bread.\n");

    let again = knowledge.ingest(folder.path()).await;
    assert_eq!((again.unchanged, again.added, again.updated), (2, 0, 0), "{again:?}");
    let by_itself = knowledge.ingest(&folder.path().join("old.zip")).await;
    assert_eq!((by_itself.unchanged, by_itself.added), (2, 0), "{by_itself:?}");
}

#[tokio::test]
async fn what_leads_out_of_an_archive_is_refused() {
    let archive = zip(&[("../../escaped.txt", b"Out."), ("/absolute.txt", b"Out."), ("good.txt", b"In.")]);
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("a.zip", &archive));
    let report = knowledge.ingest(folder.path()).await;
    let sources = knowledge.sources().await;
    assert!(sources.contains(&"docs/a.zip/good.txt".to_owned()), "{sources:?}");
    assert!(sources.iter().all(|source| !source.contains("..")), "{sources:?}");
    assert!(report.skipped.iter().any(|skipped| skipped.reason.contains("leads out")), "{report:?}");
}

#[tokio::test]
async fn an_archive_in_an_archive_a_broken_one_and_a_bomb_cost_themselves_only() {
    let inner = zip(&[("deep.txt", b"Deep.")]);
    let bomb = zip(&[("zeros.html", &vec![b' '; 20 << 20]), ("good.txt", b"Good.")]);
    let folder = Folder::new()
        .with("outer.zip", zip(&[("inner.zip", &inner), ("good.txt", b"Good.")]))
        .with("broken.zip", &inner[..inner.len() / 2])
        .with("bomb.zip", bomb);
    let knowledge = Knowledge::new().await;
    let report = knowledge.ingest(folder.path()).await;
    assert_eq!(knowledge.sources().await, ["docs/bomb.zip/good.txt", "docs/outer.zip/good.txt"]);
    let reasons: Vec<_> =
        report.failed.iter().map(|failure| (failure.source.as_str(), failure.reason.as_str())).collect();
    let [(bomb, too_large), (broken, damaged), (nested, archive)] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert_eq!((*bomb, *broken, *nested), ("docs/bomb.zip/zeros.html", "docs/broken.zip", "docs/outer.zip/inner.zip"));
    assert!(too_large.contains("larger than 16 MiB"), "{too_large}");
    assert!(damaged.contains("damaged"), "{damaged}");
    assert!(archive.contains("archive inside an archive"), "{archive}");
}

#[tokio::test]
async fn files_taken_out_of_an_archive_are_gone() {
    let three = zip(&[("a.txt", b"A."), ("b.txt", b"B."), ("c.txt", b"C."), ("d.txt", b"D."), ("e.txt", b"E.")]);
    let (knowledge, folder) = (Knowledge::new().await, Folder::new().with("a.zip", &three));
    knowledge.ingest(folder.path()).await;
    folder.write("a.zip", zip(&[("a.txt", b"A."), ("b.txt", b"B."), ("c.txt", b"C."), ("d.txt", b"D.")]));
    let (report, events) = knowledge.prune(folder.path()).await;
    assert_eq!((report.removed, report.gone), (1, 0), "{report:?}");
    assert!(events.iter().any(|event| matches!(event, footnote_ingest::Event::FileDone { source, outcome: Outcome::Removed } if source == "docs/a.zip/e.txt")));
}
