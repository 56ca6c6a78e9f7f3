//! The application's files, as they are written to the user's cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Each file's path in the application's folder, and its text: all files there, as
/// `build.rs` lists them.
const ASSETS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/python_assets.rs"));

/// Names every package of the environment.
pub const LOCK: &str = "requirements.lock";

/// The content of a file of the application.
pub fn text(name: &str) -> Option<&'static str> {
    ASSETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Whether the environment has that package.
pub fn locks(package: &str) -> bool {
    let lock = text(LOCK).unwrap_or_default();
    lock.lines().any(|line| line.strip_prefix(package).is_some_and(|rest| rest.starts_with("==")))
}

/// The name of the environment's folder. It depends on the lock file, so that two versions
/// of tracelink share it as long as they need the same packages.
pub fn environment_name() -> String {
    let lock = ASSETS.iter().filter(|(name, _)| *name == LOCK);
    format!("demo-python-{:016x}", hash(lock))
}

/// The name of the application's folder. It depends on the content of its files.
pub fn app_name() -> String {
    format!("app-{:016x}", hash(ASSETS.iter()))
}

/// FNV-1a, which is the same with every compiler.
fn hash<'a>(assets: impl Iterator<Item = &'a (&'a str, &'a str)>) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const FACTOR: u64 = 0x0100_0000_01b3;
    let bytes = assets.flat_map(|(name, text)| [name.as_bytes(), b"\0", text.as_bytes(), b"\0"]);
    bytes.flatten().fold(START, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FACTOR))
}

/// tracelink's part of the user's cache: below `XDG_CACHE_HOME` where that is
/// absolute, as its specification demands, else below the home directory's
/// `.cache` (`Library/Caches` on macOS). `None` where neither is known.
pub fn cache_folder(xdg_cache_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let own = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let cache = xdg_cache_home
        .filter(|path| path.is_absolute())
        .map(Path::to_owned)
        .or_else(|| Some(home.filter(|home| home.is_absolute())?.join(own)))?;
    Some(cache.join("tracelink"))
}

/// Writes the files into a folder, all of them or none.
///
/// # Errors
///
/// Where it cannot be written to.
pub fn write(folder: &Path) -> io::Result<()> {
    let begun = folder.with_extension("begun");
    match fs::remove_dir_all(&begun) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for (name, text) in ASSETS {
        let path = begun.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    fs::rename(begun, folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let app = folder.path().join(app_name());
        write(&app).expect("writable");
        let written = fs::read_to_string(app.join("changes/by-hand/consume/tasks.py")).expect("written");
        assert_eq!(Some(&*written), text("changes/by-hand/consume/tasks.py"));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn the_cache_is_where_the_user_has_it() {
        let (cache, home) = (Path::new("/cache"), Path::new("/home/ada"));
        assert_eq!(cache_folder(Some(cache), Some(home)), Some("/cache/tracelink".into()));
        let below_home = Some("/home/ada/.cache/tracelink".into());
        assert_eq!(cache_folder(Some(Path::new("cache")), Some(home)), below_home);
        assert_eq!(cache_folder(None, None), None);
    }
}
