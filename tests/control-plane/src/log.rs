//! What the programs write.

use std::fs::File;
use std::path::Path;

use crate::Error;
use crate::error::Context;

/// The log twice, for standard output and standard error, appending.
pub(crate) fn open(log: &Path) -> Result<(File, File), Error> {
    let what = || format!("opening {}", log.display());
    let output = File::options().create(true).append(true).open(log).context(what)?;
    let errors = output.try_clone().context(what)?;
    Ok((output, errors))
}

/// The last twenty lines of a log, or why it cannot be read.
pub(crate) fn tail(log: &Path) -> String {
    match std::fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        }
        Err(error) => format!("({}: {error})", log.display()),
    }
}
