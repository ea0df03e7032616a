//! Documents that arrive over HTTP, and `ingest` beside a running server.

use std::process::Output;

use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::embedding_server::EmbeddingServer;
use crate::redis_server::{free_port, wait_until};
use crate::server_process::{Server, folder_with_documents, footnote, ingest};
use crate::test_app::{Answer, TestApp, answer};

async fn upload(app: &TestApp, form: Form) -> Answer {
    answer(app.request("POST", "/documents").multipart(form)).await
}

fn file(name: &str, content: impl Into<Vec<u8>>) -> Part {
    Part::bytes(content.into()).file_name(name.to_owned())
}

/// The job of an accepted upload, once it is done.
async fn finished(app: &TestApp, accepted: &Answer) -> Value {
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    let url = format!("/jobs/{}", accepted.body["job_id"].as_str().unwrap());
    assert_eq!(accepted.headers["location"], url.as_str());
    app.wait_until("the job is done", async |app| app.get(&url).await.body["finished_at"].is_string()).await;
    app.get(&url).await.body
}

async fn sources(app: &TestApp) -> Vec<String> {
    let page = app.get("/documents").await.body;
    let documents = page["documents"].as_array().unwrap();
    let mut sources: Vec<_> = documents.iter().map(|one| one["source"].as_str().unwrap().to_owned()).collect();
    sources.sort();
    sources
}

#[tokio::test]
async fn files_of_a_form_become_documents() {
    let app = TestApp::builder().start().await;
    let form = Form::new()
        .text("root", "handbook")
        .text("tag", "kitchen")
        .part("file", file("bread.md", "# Bread\n\nRye bread is made of rye flour, water and salt."))
        .part("file", file("more/tea.html", "<html><body><p>Tea steeps for four minutes.</p></body></html>"))
        .part("file", file("photo.png", b"\x89PNG\r\n\x1a\n".as_slice()))
        .part("file", file("broken.pdf", "no PDF at all"));
    let job = finished(&app, &upload(&app, form).await).await;
    assert_eq!((&job["state"], &job["files"], &job["added"]), (&json!("done"), &json!(4), &json!(2)), "{job}");
    assert_eq!(job["skipped"][0]["source"], "handbook/photo.png");
    assert_eq!(job["failed"][0]["source"], "handbook/broken.pdf");
    assert!(job["failed"][0]["reason"].as_str().unwrap().contains("does not begin like"), "{job}");
    assert_eq!(sources(&app).await, ["handbook/bread.md", "handbook/more/tea.html"]);
    let answer = app.ask("someone", "What is rye bread made of?").await;
    assert_eq!(answer["source_documents"][0]["source"], "handbook/bread.md", "{answer}");
    let tagged = app.get("/documents?tag=kitchen").await.body;
    assert_eq!(tagged["documents"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn texts_in_json_become_documents_and_replace_those_of_the_same_name() {
    let app = TestApp::builder().start().await;
    let body = |text: &str| json!({"documents": [{"source": "notes/bread.md", "text": text}], "tags": ["kitchen"]});
    let first = finished(&app, &app.post("/documents", body("# Bread\n\nRye.")).await).await;
    assert_eq!((&first["added"], &first["root"]), (&json!(1), &json!("uploads")), "{first}");
    let again = finished(&app, &app.post("/documents", body("# Bread\n\nRye.")).await).await;
    assert_eq!(again["unchanged"], 1, "{again}");
    let changed = finished(&app, &app.post("/documents", body("# Bread\n\nWheat.")).await).await;
    assert_eq!(changed["updated"], 1, "{changed}");
    assert_eq!(sources(&app).await, ["uploads/notes/bread.md"]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_its_name() {
    let app = TestApp::builder().option("--max-upload", 1).start().await;
    let one = |name: &str| Form::new().part("file", file(name, "Text."));
    let names = ["../escape.txt", "/absolute.txt", "a//b.txt", ".hidden", "a/.git/config", "back\\slash.txt"];
    for name in names.into_iter().chain(["a~/notes.md~", "a/#notes#", "~$notes.docx"]) {
        let refused = upload(&app, one(name)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", refused.body);
        assert_eq!(
            (&refused.body["code"], &refused.body["field"]),
            (&json!("invalid_request"), &json!("file")),
            "{name}"
        );
    }
    let twice = upload(&app, one("a.txt").part("file", file("a.txt", "Other."))).await;
    assert!(twice.body["detail"].as_str().unwrap().contains("twice"), "{}", twice.body);
    for (first, second) in [("a.txt", "a.txt/b.txt"), ("a/b.txt/c.txt", "a/b.txt")] {
        let both = upload(&app, one(first).part("file", file(second, "Other."))).await;
        assert!(both.body["detail"].as_str().unwrap().contains("a file and a folder"), "{}", both.body);
    }
    let no_bool = upload(&app, one("a.txt").text("same_folder", "banana")).await;
    assert_eq!(no_bool.body["field"], "same_folder", "{}", no_bool.body);
    let nothing = upload(&app, Form::new().text("root", "handbook")).await;
    assert!(nothing.body["detail"].as_str().unwrap().contains("no file"), "{}", nothing.body);
    let unknown = upload(&app, one("a.txt").text("colour", "blue")).await;
    assert_eq!(unknown.body["field"], "colour", "{}", unknown.body);
    let root = upload(&app, one("a.txt").text("root", "a/b")).await;
    assert_eq!(root.body["field"], "root", "{}", root.body);
    let large = upload(&app, Form::new().part("file", file("a.txt", vec![b'a'; 2 << 20]))).await;
    assert_eq!((large.status, &large.body["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large")));
    let media = answer(app.request("POST", "/documents").header("content-type", "text/plain").body("Text.")).await;
    assert_eq!(media.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let field = app.post("/documents", json!({"documents": [{"source": "a.txt"}]})).await;
    assert_eq!(field.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", field.body);
    let job = app.get("/jobs/00000000-0000-4000-8000-000000000000").await;
    assert_eq!((job.status, &job.body["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    assert!(sources(&app).await.is_empty());
}

#[tokio::test]
async fn uploads_need_the_key_that_all_else_needs() {
    let app = TestApp::builder().api_key("right").start().await;
    let form = Form::new().part("file", file("a.txt", "Text."));
    let refused = answer(reqwest::Client::new().post(format!("{}/documents", app.url)).multipart(form)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_job_survives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let text = "The keeper lit the lamp at dusk and trimmed it at midnight. ".repeat(4000);
    let body =
        json!({"documents": [{"source": "long.txt", "text": text}, {"source": "bread.txt", "text": "Rye bread."}]});
    let accepted: Value = server.request("POST", "/documents").json(&body).send().await.unwrap().json().await.unwrap();
    server.signal("KILL");
    drop(server);

    let server = Server::start(folder.path(), &[]);
    let url = format!("/jobs/{}", accepted["job_id"].as_str().unwrap());
    let job = loop {
        let job: Value = server.request("GET", &url).send().await.unwrap().json().await.unwrap();
        if job["finished_at"].is_string() {
            break job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(job["added"].as_u64().unwrap() + job["unchanged"].as_u64().unwrap(), 2, "{job}");
    let page: Value = server.request("GET", "/documents").send().await.unwrap().json().await.unwrap();
    assert_eq!(page["documents"].as_array().unwrap().len(), 2);
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn ingest_finds_the_server_that_holds_the_folder() {
    let folder = folder_with_documents();
    // Also where strangers need a key.
    let server = Server::start(folder.path(), &["--api-key", "secret"]);
    let notes = folder.path().join("notes");
    for name in ["a", "b", "c", "d"] {
        std::fs::write(notes.join(format!("{name}.txt")), format!("Note {name}.")).unwrap();
    }
    let files = std::fs::read_dir(&notes).unwrap().count();
    let permissions = std::fs::metadata(folder.path().join("footnote-data/server.json")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600);

    let plan = printed(&ingest(folder.path(), &["notes", "--dry-run"]));
    assert!(plan.contains(&format!("{files} files: {files} added, 0 updated")), "{plan}");
    let first = printed(&ingest(folder.path(), &["notes", "--tag", "mine"]));
    assert!(first.contains(&format!("{files} files: {files} added, 0 updated, 0 unchanged")), "{first}");
    let again = printed(&ingest(folder.path(), &["notes"]));
    assert!(again.contains(&format!("0 added, 0 updated, {files} unchanged")), "{again}");

    let beside = ingest(folder.path(), &["notes", "not-there"]);
    let said = String::from_utf8_lossy(&beside.stdout).into_owned();
    assert_eq!(beside.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{files} unchanged")) && said.contains("failed not-there: there is no"), "{said}");

    let dated = std::fs::File::options().write(true).open(notes.join("c.txt")).unwrap();
    std::fs::write(notes.join("c.txt"), "Note c, changed.").unwrap();
    dated.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    std::fs::write(notes.join("a.txt"), "Note a, changed.").unwrap();
    std::fs::remove_file(notes.join("b.txt")).unwrap();
    let pruned = printed(&ingest(folder.path(), &["notes", "--prune", "--force"]));
    let expected = format!("0 added, 2 updated, {} unchanged, 1 removed", files - 3);
    assert!(pruned.contains(&expected), "{pruned}");
    let page = server.request("GET", "/documents?tag=mine").bearer_auth("secret").send().await.unwrap();
    let page: Value = page.json().await.unwrap();
    let documents = page["documents"].as_array().unwrap();
    let dated = documents.iter().find(|one| one["source"] == "notes/c.txt").unwrap();
    assert_eq!(dated["metadata"]["modified_at"], "2001-09-09T01:46:40Z", "{dated}");
    let sources: Vec<_> = page["documents"].as_array().unwrap().iter().map(|one| one["source"].clone()).collect();
    assert!(sources.len() == files - 1 && !sources.contains(&json!("notes/b.txt")), "{sources:?}");
}

#[tokio::test]
async fn ingest_finds_a_server_whose_embedder_came_late() {
    let (folder, port) = (folder_with_documents(), free_port());
    let base_url = format!("http://127.0.0.1:{port}/v1");
    let server = Server::start(folder.path(), &["--embedder", "openai", "--openai-base-url", &base_url]);
    let file = folder.path().join("footnote-data/server.json");
    assert!(!file.exists());
    let _embeddings = EmbeddingServer::start_at(port);
    wait_until("it says where it is", || file.exists());
    let added = printed(&ingest(folder.path(), &["notes"]));
    assert!(added.contains("1 added"), "{added}");
    server.signal("TERM");
    wait_until("it is gone", || !file.exists());
}

#[tokio::test]
async fn a_field_that_is_too_long_is_refused() {
    let app = TestApp::builder().option("--max-upload", 1).start().await;
    // Not read to its end, which would be too much for the whole.
    let form = Form::new().text("root", "x".repeat(2 << 20)).part("file", file("bread.md", "# Bread\n\nRye."));
    let refused = upload(&app, form).await;
    assert_eq!((refused.status, &refused.body["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("root")));
}

#[tokio::test]
async fn the_same_fields_of_records_are_taken_through_a_server() {
    let folder = folder_with_documents();
    let server = Server::start(folder.path(), &[]);
    let people = folder.path().join("people");
    std::fs::create_dir(&people).unwrap();
    std::fs::write(people.join("all.json"), r#"[{"name": "Ada", "password": "xyzzy"}]"#).unwrap();
    let arguments = ["people", "--json-field", "name"];
    let first = printed(&ingest(folder.path(), &arguments));
    assert!(first.contains("1 added"), "{first}");
    let again = printed(&ingest(folder.path(), &arguments));
    assert!(again.contains("0 added, 0 updated, 1 unchanged"), "{again}");

    let page = server.request("GET", "/documents?source=people/all.json").send().await.unwrap();
    let page: Value = page.json().await.unwrap();
    let id = page["documents"][0]["id"].as_str().unwrap();
    let chunks = server.request("GET", &format!("/documents/{id}/chunks")).send().await.unwrap().text().await.unwrap();
    assert!(chunks.contains("Ada") && !chunks.contains("xyzzy"), "{chunks}");
}

/// As in the store itself.
#[tokio::test]
async fn another_folder_of_the_same_name_does_not_replace_documents() {
    let folder = folder_with_documents();
    let server = Server::start(folder.path(), &[]);
    printed(&ingest(folder.path(), &["notes"]));
    let other = folder.path().join("other/notes");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("ml.md"), "# Wheat\n\nBread, and no learning.\n").unwrap();
    let text = async || {
        let found = server.request("POST", "/search").json(&json!({"query": "learning"})).send().await.unwrap();
        let found: Value = found.json().await.unwrap();
        found["results"][0]["text"].as_str().unwrap().to_owned()
    };
    let refused = ingest(folder.path(), &["other/notes"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--root-name"), "{said}");
    assert!(text().await.contains("learn from data"));
    // Nor from another machine, which learns no path of this one.
    let refused = ingest(folder.path(), &["other/notes", "--server", &server.url]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("another folder"), "{said}");
    assert!(!said.contains(folder.path().to_str().unwrap()), "{said}");
    assert!(text().await.contains("learn from data"));

    // One that is not there any more was moved.
    std::fs::rename(folder.path().join("notes"), folder.path().join("before")).unwrap();
    printed(&ingest(folder.path(), &["other/notes"]));
    assert!(text().await.contains("no learning"));
    printed(&ingest(folder.path(), &["before", "--root-name", "notes"]));
    assert!(text().await.contains("learn from data"));
}

/// In the store itself, and through the server that holds it.
#[tokio::test]
async fn documents_are_listed_shown_and_deleted_from_a_terminal() {
    let folder = folder_with_documents();
    let documents = |arguments: &[&str]| footnote(folder.path()).arg("documents").args(arguments).output().unwrap();
    let nothing = documents(&["list"]);
    assert!(!nothing.status.success(), "{nothing:?}");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("ingest makes one"), "{nothing:?}");

    std::fs::write(folder.path().join("notes/tea.md"), "---\nauthor: Anna\n---\n# Tea\n\nIt steeps.\n").unwrap();
    printed(&ingest(folder.path(), &["notes", "--tag", "kitchen"]));
    let check = |source: &str| {
        let list = printed(&documents(&["list", "--tag", "kitchen"]));
        assert!(list.contains(&format!("  {source}  [kitchen]")), "{list}");
        assert_eq!(printed(&documents(&["list", "--tag", "other"])), "");
        let shown = printed(&documents(&["show", source]));
        assert!(shown.contains(&format!("source        {source}\n")), "{shown}");
        let json: Value = serde_json::from_str(&printed(&documents(&["show", source, "--json"]))).unwrap();
        assert_eq!(json["document"]["source"], source);
        assert_eq!(json["document"]["chunk_count"], json["chunks"].as_array().unwrap().len());
        let mistyped = documents(&["delete", source, "notes/not-there.md"]);
        assert!(String::from_utf8_lossy(&mistyped.stderr).contains("notes/not-there.md"), "{mistyped:?}");
        assert_eq!(printed(&documents(&["delete", source])), format!("deleted {source}\n"));
        assert!(!printed(&documents(&["list"])).contains(source));
    };
    let tea = printed(&documents(&["show", "notes/tea.md"]));
    assert!(tea.contains("author        Anna\n") && tea.ends_with("\n# Tea\n\nIt steeps.\n"), "{tea}");
    check("notes/tea.md");
    let _server = Server::start(folder.path(), &[]);
    check("notes/ml.md");
}
