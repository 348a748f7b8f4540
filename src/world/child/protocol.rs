//! What goes through the pipes: a header in JSON, then requests and replies in little-endian binary.

use crate::world::environment::View;
use crate::world::frame::{FRAME, RAW};
use serde::Deserialize;
use std::io::{self, BufRead, Read};

/// The number of the protocol that is spoken.
const PROTOCOL: u64 = 1;
/// The range of each action.
const RANGES: [[f64; 2]; 3] = [[-1.0, 1.0], [0.0, 1.0], [0.0, 1.0]];
/// Most environments of a process. Requests to all of them fit in the buffer of a pipe, so that writing never waits.
pub(super) const MOST: usize = 1024;
/// Longest header, in bytes.
const LONGEST: u64 = 1 << 16;

/// The first line of a server.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    protocol: u64,
    observation: [usize; 3],
    actions: usize,
    low: Vec<f64>,
    high: Vec<f64>,
    /// Environments of this process.
    pub(super) envs: usize,
    /// Names and versions of what runs.
    pub(super) version: String,
}

impl Header {
    /// Read and check the header at the start of `output`; `None` if the output ends before it.
    pub(super) fn read(output: &mut impl BufRead) -> Result<Option<Self>, String> {
        let mut line = Vec::new();
        let read = output.take(LONGEST).read_until(b'\n', &mut line);
        if read.is_err() || line.is_empty() {
            return Ok(None);
        }
        let header: Self = serde_json::from_slice(&line).map_err(|problem| {
            let start: String = String::from_utf8_lossy(&line).trim_end().chars().take(80).collect();
            format!("its first line is not the header of the protocol ({problem}): {start}")
        })?;
        header.check().map(|()| Some(header))
    }

    fn check(&self) -> Result<(), String> {
        if self.protocol != PROTOCOL {
            return Err(format!(
                "it speaks protocol {}, and this version of vae protocol {PROTOCOL}",
                self.protocol
            ));
        }
        if self.observation != RAW && self.observation != FRAME {
            return Err(format!("its observation is {:?}, not {RAW:?} or {FRAME:?}", self.observation));
        }
        let ranges: Vec<[f64; 2]> =
            self.low.iter().zip(&self.high).map(|(low, high)| [*low, *high]).collect();
        if self.actions != RANGES.len() || ranges != RANGES || self.low.len() != self.high.len() {
            let (actions, low, high) = (self.actions, &self.low, &self.high);
            return Err(format!(
                "it takes {actions} actions from {low:?} to {high:?}, not 3 from [-1, 0, 0] to [1, 1, 1]"
            ));
        }
        if !(1..=MOST).contains(&self.envs) {
            return Err(format!("it has {} environments, not 1 to {MOST}", self.envs));
        }
        Ok(())
    }

    /// Bytes of an observation.
    pub(super) fn bytes(&self) -> usize {
        self.observation.iter().product()
    }
}

/// The request to begin an episode in an environment.
pub(super) fn reset(number: u32, seed: u64) -> Vec<u8> {
    [&[1][..], &number.to_le_bytes(), &seed.to_le_bytes()].concat()
}

/// The request to act in environments.
pub(super) fn step(actions: &[(u32, [f32; 3])]) -> Vec<u8> {
    let mut request = [&[2][..], &(actions.len() as u32).to_le_bytes()].concat();
    for (number, action) in actions {
        request.extend(number.to_le_bytes());
        request.extend(action.iter().flat_map(|value| value.to_le_bytes()));
    }
    request
}

/// The request to end.
pub(super) const CLOSE: [u8; 1] = [3];

/// Read a reply with `bytes` of observation; `None` if the output ends.
pub(super) fn reply(output: &mut impl Read, bytes: usize) -> Result<Option<View>, String> {
    let ended = |_: io::Error| None::<View>;
    let mut numbers = [0; 18];
    if let Err(problem) = output.read_exact(&mut numbers) {
        return Ok(ended(problem));
    }
    let [n0, n1, n2, n3, rest @ ..] = numbers;
    let [r0, r1, r2, r3, r4, r5, r6, r7, terminated, truncated, l0, l1, l2, l3] = rest;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length != bytes {
        return Err(format!("a reply has {length} bytes of observation, and its header promises {bytes}"));
    }
    let reward = f64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    if !reward.is_finite() {
        return Err(format!("a reply has the reward {reward}"));
    }
    let mut pixels = vec![0; bytes];
    if let Err(problem) = output.read_exact(&mut pixels) {
        return Ok(ended(problem));
    }
    let number = u32::from_le_bytes([n0, n1, n2, n3]) as usize;
    Ok(Some(View { number, reward, terminated: terminated != 0, truncated: truncated != 0, pixels }))
}
