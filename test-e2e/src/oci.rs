//! Container images without a container engine: one-layer OCI image archives made from programs on disk.
//!
//! Format: OCI image layout 1.0 in a tar file, as `ctr image import` reads it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};

/// A file of the image.
#[derive(Debug, Clone)]
pub struct Content {
    /// Path without the leading slash.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Bytes.
    pub bytes: Vec<u8>,
}

impl Content {
    /// A program from this machine, executable for everybody.
    pub fn program(from: &Path, path: &str) -> Result<Self> {
        let bytes = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        Ok(Self { path: path.to_owned(), mode: 0o755, bytes })
    }
}

/// Name and start of an image.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Full reference with registry and tag.
    pub reference: String,
    /// Program and arguments; empty when whoever runs it names a command.
    pub entrypoint: Vec<String>,
}

impl Archive {
    /// Writes the image archive. Equal content gives equal bytes.
    pub fn write(&self, file: &Path, content: &[Content]) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
        let layer = layer(content)?;
        let layer_digest = digest(&layer);
        let config = serde_json::to_vec(&json!({
            "architecture": "amd64", "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint, "WorkingDir": "/",
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        }))?;
        let describe = |kind: &str, bytes: &[u8]| {
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({ "mediaType": kind, "digest": format!("sha256:{}", digest(bytes)), "size": bytes.len() })
        };
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": describe("config.v1+json", &config),
            "layers": [describe("layer.v1.tar", &layer)],
        }))?;
        let mut entry = describe("manifest.v1+json", &manifest);
        let tag = self.reference.rsplit(':').next().unwrap_or_default();
        entry["annotations"] = json!({
            "io.containerd.image.name": self.reference, "org.opencontainers.image.ref.name": tag,
        });
        let index = serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": [entry] }))?;
        add_file(&mut out, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        for blob in [&layer, &config, &manifest] {
            add_file(&mut out, &format!("blobs/sha256/{}", digest(blob)), 0o644, blob)?;
        }
        add_file(&mut out, "index.json", 0o644, &index)?;
        out.write_all(&[0; 1024])?;
        out.flush()?;
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The only layer: the folders every program expects, the users root and nobody, then the files.
fn layer(content: &[Content]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut made = BTreeSet::new();
    for (folder, mode) in [("tmp", 0o1777), ("etc", 0o755), ("run", 0o755), ("proc", 0o755), ("sys", 0o755)] {
        add_folder(&mut out, &mut made, folder, mode)?;
    }
    let passwd = "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
    add_file(&mut out, "etc/passwd", 0o644, passwd.as_bytes())?;
    for file in content {
        if let Some((folder, _)) = file.path.rsplit_once('/') {
            add_folder(&mut out, &mut made, folder, 0o755)?;
        }
        add_file(&mut out, &file.path, file.mode, &file.bytes)?;
    }
    out.extend([0; 1024]);
    Ok(out)
}

fn add_folder(out: &mut Vec<u8>, made: &mut BTreeSet<String>, path: &str, permissions: u32) -> Result<()> {
    if let Some((parent, _)) = path.rsplit_once('/') {
        add_folder(out, made, parent, 0o755)?;
    }
    if made.insert(path.to_owned()) {
        out.write_all(&header(&format!("{path}/"), permissions, 0, b'5')?)?;
    }
    Ok(())
}

fn add_file(out: &mut impl Write, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    out.write_all(&header(path, mode, bytes.len(), b'0')?)?;
    out.write_all(bytes)?;
    out.write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()])?;
    Ok(())
}

/// A header of the POSIX ustar format: owner root, time zero.
fn header(path: &str, mode: u32, size: usize, kind: u8) -> Result<[u8; 512]> {
    anyhow::ensure!(path.len() <= 100, "{path} is too long for a tar header");
    anyhow::ensure!(size < 0o100_000_000_000, "{path} is too large for a tar header");
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn tar_reads_the_archive_and_the_layer_in_it() {
        let dir = std::env::temp_dir().join(format!("metal3-bench-oci-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("image.tar");
        let content = Content { path: "usr/local/bin/thing".to_owned(), mode: 0o755, bytes: b"#!/bin/true\n".to_vec() };
        let archive = Archive { reference: "example.org/thing:v1".to_owned(), entrypoint: vec!["/thing".to_owned()] };
        archive.write(&file, &[content]).unwrap();
        let status = Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&dir).status().unwrap();
        assert!(status.success());
        let index: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("index.json")).unwrap()).unwrap();
        let blob = |digest: &serde_json::Value| {
            let name = digest.as_str().unwrap().replace(':', "/");
            std::fs::read(dir.join("blobs").join(name)).unwrap()
        };
        let manifest: serde_json::Value = serde_json::from_slice(&blob(&index["manifests"][0]["digest"])).unwrap();
        std::fs::write(dir.join("layer.tar"), blob(&manifest["layers"][0]["digest"])).unwrap();
        let listed = Command::new("tar").arg("-tvf").arg(dir.join("layer.tar")).output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(
            text.lines().any(|line| line.starts_with("-rwxr-xr-x") && line.ends_with(" usr/local/bin/thing")),
            "{text}"
        );
        assert!(text.lines().any(|line| line.starts_with("drwxr-xr-x") && line.ends_with(" usr/local/")), "{text}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
