//! Files to ingest, made in a temporary folder.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A folder called `docs`, gone when dropped.
pub(crate) struct Folder {
    _parent: TempDir,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("docs");
        std::fs::create_dir(&path).unwrap();
        Self { _parent: parent, path }
    }

    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A zip archive with these files, as any Office document is one.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A PDF with these lines of text on each page.
pub(crate) fn pdf(pages: &[&[&str]]) -> Vec<u8> {
    Pdf::new(pages).finish("")
}

/// A PDF that opens with a password only: the hashes in it match no password we have.
pub(crate) fn encrypted_pdf() -> Vec<u8> {
    let hash = "5a".repeat(32);
    let trailer = format!(
        "/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -44 /O <{hash}> /U <{hash}> >> /ID [<00112233> <00112233>]"
    );
    Pdf::new(&[&["Nobody can read this."]]).finish(&trailer)
}

/// A PDF whose only page draws a line and no text, as a scan would.
pub(crate) fn pdf_without_text() -> Vec<u8> {
    Pdf::with_contents(&["0 0 m 100 100 l S".to_owned()]).finish("")
}

struct Pdf {
    objects: Vec<String>,
}

impl Pdf {
    fn new(pages: &[&[&str]]) -> Self {
        let contents: Vec<String> = pages.iter().map(|lines| page_content(lines)).collect();
        Self::with_contents(&contents)
    }

    fn with_contents(contents: &[String]) -> Self {
        let kids: Vec<String> = (0..contents.len()).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
        let mut objects = vec![
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), kids.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        ];
        for content in contents {
            let content_number = objects.len() + 2;
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content_number} 0 R \
                 /Resources << /Font << /F1 3 0 R >> >> >>"
            ));
            objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
        }
        Self { objects }
    }

    fn finish(&self, trailer: &str) -> Vec<u8> {
        let mut file = "%PDF-1.4\n".to_owned();
        let mut offsets = Vec::new();
        for (index, object) in self.objects.iter().enumerate() {
            offsets.push(file.len());
            file += &format!("{} 0 obj\n{object}\nendobj\n", index + 1);
        }
        let table = file.len();
        let count = self.objects.len() + 1;
        file += &format!("xref\n0 {count}\n0000000000 65535 f \n");
        for offset in offsets {
            file += &format!("{offset:010} 00000 n \n");
        }
        file += &format!("trailer\n<< /Size {count} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n");
        file.into_bytes()
    }
}

fn page_content(lines: &[&str]) -> String {
    let shown: Vec<String> = lines.iter().map(|line| format!("({line}) Tj T*")).collect();
    format!("BT /F1 12 Tf 16 TL 72 770 Td {} ET", shown.join("\n"))
}
