//! Small files that belong to the bench: scripts, configuration templates, pinned lists. They are part of the program,
//! and so part of the recipe of what is built from them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A file by name and content.
pub type Asset = (&'static str, &'static str);

/// All contents in one text: the recipe of a cache entry.
pub fn recipe(assets: &[Asset]) -> String {
    assets.iter().flat_map(|(name, text)| [*name, "\n", *text]).collect()
}

/// Writes the files into a folder, scripts as executable.
pub fn unpack(dir: &Path, assets: &[Asset]) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, text) in assets {
        let file = dir.join(name);
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        if text.starts_with("#!") {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// Puts values for the `{words}` of a template. A word without a value is an error, a value without a word too.
pub fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut text = template.to_owned();
    for (word, value) in values {
        let mark = format!("{{{word}}}");
        if !text.contains(&mark) {
            bail!("the template has no {mark}");
        }
        text = text.replace(&mark, value);
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((_, rest)) = line.split_once('{')
            && let Some((word, _)) = rest.split_once('}')
        {
            bail!("the template's {{{word}}} got no value");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_every_value_is_used() {
        assert_eq!(fill("a = {x}:{x}", &[("x", "1")]).unwrap(), "a = 1:1");
        assert!(fill("a = {x} {y}", &[("x", "1")]).is_err());
        assert!(fill("a = {x}", &[("x", "1"), ("y", "2")]).is_err());
        assert_eq!(fill("# {words}\nb", &[]).unwrap(), "# {words}\nb");
    }
}
