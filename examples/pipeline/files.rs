//! Which files to count.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// A file to count.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    /// How long it is, as far as is known before it is read.
    pub(crate) bytes: u64,
}

/// What cannot be read, and why.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) why: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

/// The files that `paths` name, in order, and those in directories among them; without paths the
/// sources of this repository.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, Unreadable> {
    let mut found = Vec::new();
    if paths.is_empty() {
        visit(&repository(), &mut found)?;
    }
    for path in paths {
        visit(path, &mut found)?;
    }
    Ok(found)
}

/// Where this program was built, or else the current directory.
fn repository() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    if built_in.is_dir() { built_in.to_owned() } else { PathBuf::from(".") }
}

fn visit(path: &Path, found: &mut Vec<Input>) -> Result<(), Unreadable> {
    let unreadable = |why| Unreadable { path: path.to_owned(), why };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_file() {
        found.push(Input { path: path.to_owned(), bytes: metadata.len() });
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(unreadable(io::Error::other("neither a file nor a directory")));
    }
    let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(unreadable)?.collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(unreadable)?;
        // Links could lead in circles; what is neither file nor directory is no text.
        let wanted = kind.is_file() || kind.is_dir() && entry.file_name() != "target";
        if wanted && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            visit(&entry.path(), found)?;
        }
    }
    Ok(())
}
