//! `footnote ask` against a running server.

use std::process::Command;

use crate::test_app::TestApp;

async fn ask(app: &TestApp, arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footnote"));
    command.env_clear().env("PATH", "/usr/bin:/bin").arg("ask").args(arguments).args(["--server", &app.url]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

async fn tea_house() -> TestApp {
    let tea = "# Tea\n\nGreen tea steeps for three minutes in hot water.\n";
    TestApp::builder().document("tea.md", tea).document("bread.md", "# Bread\n\nKnead the dough.\n").start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_with_its_sources() {
    let app = tea_house().await;
    let (succeeded, answer, errors) = ask(&app, &["How long does green tea steep?"]).await;
    assert!(succeeded, "{errors}");
    assert!(answer.starts_with("Green tea steeps for three minutes in hot water. [1]\n"), "{answer}");
    assert!(answer.contains("library/tea.md"), "{answer}");
    assert!(!answer.contains("Candidates"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explained_answer_shows_every_step() {
    let app = tea_house().await;
    let (_, answer, errors) = ask(&app, &["How long does green tea steep?", "--explain"]).await;
    for part in ["searched for: How long does green tea steep?", "Candidates", "[1] verified: Green tea", "embed"] {
        assert!(answer.contains(part), "{part:?} is missing:\n{answer}{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said() {
    let app = tea_house().await;
    let (succeeded, _, errors) = ask(&app, &[" "]).await;
    assert!(!succeeded && errors.contains("`message` is empty"), "{errors}");
}
