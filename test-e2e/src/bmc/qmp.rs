//! The two things said over QEMU's machine protocol (QMP): commands, and why the machine stopped.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// A line-wise connection to one QMP socket, past the greeting.
#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and negotiates; retries while QEMU is starting, for at most ten seconds.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let mut tries = 0;
        let stream = loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => break stream,
                Err(error) if tries >= 200 => {
                    return Err(error).with_context(|| format!("QEMU does not answer on {}", socket.display()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            tries += 1;
        };
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.line().await?.context("QEMU closed its socket before the greeting")?;
        qmp.execute("qmp_capabilities", json!({})).await?;
        Ok(qmp)
    }

    /// Runs one command and returns what it returned; events in between are skipped.
    pub async fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut text = json!({ "execute": command, "arguments": arguments }).to_string();
        text.push('\n');
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        loop {
            let Some(mut answer) = self.line().await? else { bail!("QEMU ended during {command}") };
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Waits until QEMU closes the connection; returns the reason of its last SHUTDOWN event.
    pub async fn until_end(mut self) -> Option<String> {
        let mut reason = None;
        while let Ok(Some(message)) = self.line().await {
            if message["event"] == "SHUTDOWN" {
                reason = message["data"]["reason"].as_str().map(str::to_owned);
            }
        }
        reason
    }

    async fn line(&mut self) -> Result<Option<Value>> {
        let mut text = String::new();
        if self.stream.read_line(&mut text).await? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&text)?))
    }
}
