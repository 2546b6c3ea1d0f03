//! Which files to count.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// A file to count.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    /// How long it is, as far as is known before it is read.
    pub(crate) bytes: u64,
}

/// What is there to count, and what of it cannot be.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) inputs: Vec<Input>,
    pub(crate) unreadable: Vec<Unreadable>,
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
pub(crate) fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    if paths.is_empty() {
        found.visit(&repository());
    }
    for path in paths {
        found.visit(path);
    }
    found
}

/// Where this program was built, or else the current directory.
fn repository() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    if built_in.is_dir() { built_in.to_owned() } else { PathBuf::from(".") }
}

impl Found {
    fn visit(&mut self, path: &Path) {
        if let Err(why) = self.add(path) {
            self.unreadable.push(Unreadable { path: path.to_owned(), why });
        }
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_file() {
            self.inputs.push(Input { path: path.to_owned(), bytes: metadata.len() });
            return Ok(());
        }
        if !metadata.is_dir() {
            return Err(io::Error::other("neither a file nor a directory"));
        }
        let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            // Links could lead in circles; what is neither file nor directory is no text.
            let wanted = kind.is_file() || kind.is_dir() && entry.file_name() != "target";
            if wanted && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.visit(&entry.path());
            }
        }
        Ok(())
    }
}
