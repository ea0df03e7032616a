//! `POST /documents`, as a form with files or as JSON.

use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;

use super::AppState;
use super::access::HasLocalToken;
use super::body::large_json;
use super::error::ApiError;
use super::jobs::job_accepted;
use crate::jobs::{self, AboutUpload, InvalidSource, Upload};

/// Files in one request.
const MOST_FILES: usize = 1000;

/// Bytes of a field that is no file.
const LONGEST_FIELD: usize = 4096;

/// What documents are called after that come without a root of their own.
const DEFAULT_ROOT: &str = "uploads";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonUpload {
    documents: Vec<JsonDocument>,
    #[serde(default = "default_root")]
    root: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    json_fields: Vec<String>,
    folder: Option<String>,
    #[serde(default)]
    same_folder: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `source` and `text`")]
struct JsonDocument {
    source: String,
    text: String,
}

fn default_root() -> String {
    DEFAULT_ROOT.to_owned()
}

pub(super) async fn post(
    from_here: Option<HasLocalToken>,
    State(app): State<AppState>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    // An upload that never ends must not hold a connection for ever.
    let receiving = tokio::time::timeout(app.patience.upload, receive(&app, request));
    let (upload, about) = receiving.await.map_err(|_| ApiError::body_too_slow())??;
    if upload.files() == 0 {
        return Err(ApiError::invalid_field("file", "there is no file in it; send each as a part with a file name"));
    }
    let about = AboutUpload { from_here: from_here.is_some(), ..checked(about)? };
    let submitted = tokio::task::spawn_blocking(move || app.jobs.submit_upload(upload, about)).await;
    submitted.map_err(ApiError::cannot_keep)?.map(job_accepted).map_err(ApiError::cannot_keep)
}

async fn receive(app: &AppState, request: Request) -> Result<(Upload, AboutUpload), ApiError> {
    let jobs = app.jobs.clone();
    let upload = tokio::task::spawn_blocking(move || jobs.begin_upload()).await;
    let upload = upload.map_err(ApiError::cannot_keep)?.map_err(ApiError::cannot_keep)?;
    if is_form(request.headers()) {
        let form = Multipart::from_request(request, app)
            .await
            .map_err(|error| ApiError::invalid_field("body", format!("the body is no form: {}", error.body_text())))?;
        receive_form(upload, form).await
    } else {
        receive_json(upload, large_json(request, app).await?).await
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

async fn receive_json(mut upload: Upload, body: JsonUpload) -> Result<(Upload, AboutUpload), ApiError> {
    let JsonUpload { documents, root, tags, json_fields, folder, same_folder } = body;
    if documents.len() > MOST_FILES {
        return Err(too_many_files());
    }
    for (index, JsonDocument { source, text }) in documents.into_iter().enumerate() {
        let field = format!("documents[{index}].source");
        let place = upload.place(&source).map_err(|error| invalid_source(&field, &source, error))?;
        let written = tokio::task::spawn_blocking(move || jobs::create(&place)?.write_all(text.as_bytes()));
        written.await.map_err(ApiError::cannot_keep)?.map_err(ApiError::cannot_keep)?;
    }
    Ok((upload, AboutUpload { root, tags, json_fields, folder, from_here: false, same_folder }))
}

async fn receive_form(mut upload: Upload, mut form: Multipart) -> Result<(Upload, AboutUpload), ApiError> {
    let mut about = AboutUpload { root: default_root(), ..AboutUpload::default() };
    while let Some(field) = form.next_field().await.map_err(broken_form)? {
        match (field.file_name().map(str::to_owned), field.name().unwrap_or_default()) {
            (Some(source), _) => {
                if upload.files() >= MOST_FILES {
                    return Err(too_many_files());
                }
                let place = upload.place(&source).map_err(|error| invalid_source("file", &source, error))?;
                receive_file(place, field).await?;
            }
            (None, "root") => about.root = short_text(field).await?,
            (None, "tag") => about.tags.push(short_text(field).await?),
            (None, "json_field") => about.json_fields.push(short_text(field).await?),
            (None, "folder") => about.folder = Some(short_text(field).await?),
            (None, "same_folder") => {
                let given = short_text(field).await?;
                let no_bool = |_| ApiError::invalid_field("same_folder", "`same_folder` is neither true nor false");
                about.same_folder = given.parse().map_err(no_bool)?;
            }
            (None, name) => {
                let detail = format!(
                    "unknown field `{name}`; a form has `root`, `tag`, `json_field`, `folder`, `same_folder` and files, \
                     which have file names"
                );
                return Err(ApiError::invalid_field(name, detail));
            }
        }
    }
    Ok((upload, about))
}

/// Writes a file as it arrives; it may be larger than memory.
async fn receive_file(place: PathBuf, mut field: Field<'_>) -> Result<(), ApiError> {
    let modified = modified(field.headers());
    let created = tokio::task::spawn_blocking(move || jobs::create(&place)).await;
    let file = created.map_err(ApiError::cannot_keep)?.map_err(ApiError::cannot_keep)?;
    let mut file = tokio::fs::File::from_std(file);
    while let Some(bytes) = field.chunk().await.map_err(broken_form)? {
        tokio::io::AsyncWriteExt::write_all(&mut file, &bytes).await.map_err(ApiError::cannot_keep)?;
    }
    file.sync_all().await.map_err(ApiError::cannot_keep)?;
    let file = file.into_std().await;
    // A date that the system cannot keep is no reason to refuse the file.
    let _ = modified.map(|time| file.set_modified(time));
    Ok(())
}

/// When the file was changed, where its part says so.
fn modified(headers: &HeaderMap) -> Option<SystemTime> {
    let date = headers.get(header::LAST_MODIFIED)?.to_str().ok()?;
    let zoned = DateTimeParser::new().parse_zoned_datetime(date).ok()?;
    zoned.timestamp().try_into().ok()
}

async fn short_text(mut field: Field<'_>) -> Result<String, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(broken_form)? {
        text.extend_from_slice(&bytes);
        if text.len() > LONGEST_FIELD {
            return Err(ApiError::invalid_field(&name, format!("`{name}` is longer than {LONGEST_FIELD} bytes")));
        }
    }
    String::from_utf8(text).map_err(|_| ApiError::invalid_field(&name, format!("`{name}` is not valid UTF-8")))
}

fn broken_form(error: MultipartError) -> ApiError {
    ApiError::broken_upload(error.status(), error.body_text())
}

fn too_many_files() -> ApiError {
    ApiError::invalid_field("file", format!("more than {MOST_FILES} files; send them in several requests"))
}

fn invalid_source(field: &str, source: &str, error: InvalidSource) -> ApiError {
    let shown: String = source.chars().filter(|character| !character.is_control()).take(100).collect();
    ApiError::invalid_field(field, format!("the name {shown:?} {error}"))
}

fn checked(about: AboutUpload) -> Result<AboutUpload, ApiError> {
    let AboutUpload { root, tags, folder, .. } = &about;
    footnote_ingest::discover::check_root_name(root)
        .map_err(|error| ApiError::invalid_field("root", error.to_string()))?;
    if folder.as_ref().is_some_and(|folder| folder.len() > LONGEST_FIELD) {
        return Err(ApiError::invalid_field("folder", format!("`folder` is longer than {LONGEST_FIELD} bytes")));
    }
    let tags = tags.iter().map(|tag| footnote_ingest::parse_tag(tag)).collect::<Result<_, _>>();
    Ok(AboutUpload { tags: tags.map_err(|error| ApiError::invalid_field("tags", error))?, ..about })
}
