//! An environment from outside: child processes that speak a small protocol over their standard input and output.
//!
//! A process begins with a line of JSON. Numbers below are little-endian.
//!
//! ```text
//! {"protocol":1, "observation":[96,96,3], "actions":3, "low":[-1,0,0], "high":[1,1,1], "envs":N, "version":"NAME"}
//!
//! requests  u8 1  u32 environment, u64 seed                      begin an episode
//!           u8 2  u32 count, count x (u32 environment, 3 x f32)  act: steering, gas, brake
//!           u8 3                                                 end
//! replies   u32 environment, f64 reward, u8 terminated, u8 truncated, u32 length, length bytes of observation
//! ```
//!
//! Each environment in a request is answered by one reply, in the order of the request.

mod command;
mod protocol;
mod server;
#[cfg(test)]
mod tests;

use super::environment::{Environment, View};
use crate::{Error, Result};
use server::Server;
use std::time::Duration;

/// A server of gymnasium's CarRacing-v3, a program in Python.
pub const GYMNASIUM_SERVER: &str = include_str!("../../../assets/world/car_racing_server.py");

/// How long a process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To send its header.
    pub start: Duration,
    /// To send each reply.
    pub reply: Duration,
}

impl Default for Limits {
    /// A minute to start, half a minute for each reply.
    fn default() -> Self {
        Self { start: Duration::from_secs(60), reply: Duration::from_secs(30) }
    }
}

/// The environments of child processes, which are ended when this is dropped. What they write to standard error goes to ours.
#[derive(Debug)]
pub struct Children {
    servers: Vec<Server>,
    /// The number of the first environment of each process, and the number of all at the end.
    firsts: Vec<usize>,
    version: String,
}

impl Children {
    /// Start `command` in `processes` processes (1 or more), side by side. It is taken apart without a shell: spaces separate
    /// words, quotes hold them together.
    ///
    /// # Errors
    /// [`Error::Setting`] if the command is empty or a quote is open; [`Error::Environment`] if a process cannot be started,
    /// sends no header in time, or a header that does not fit.
    pub fn start(command: &str, processes: usize, limits: Limits) -> Result<Self> {
        let words = command::words(command)?;
        let spawn = |_| Server::spawn(command, &words, limits);
        let mut servers: Vec<Server> = (0..processes.max(1)).map(spawn).collect::<Result<_>>()?;
        let (mut firsts, mut version) = (vec![0], String::new());
        for server in &mut servers {
            let header = server.header()?;
            firsts.push(firsts[firsts.len() - 1] + header.envs);
            version = header.version;
        }
        Ok(Self { servers, firsts, version })
    }

    /// The process of environment `number`, and its number there.
    fn place(&self, number: usize) -> Result<(usize, u32)> {
        let server = self.firsts.partition_point(|first| *first <= number) - 1;
        if server >= self.servers.len() {
            return Err(Error::Internal(format!("environment {number} of {}", self.count())));
        }
        Ok((server, (number - self.firsts[server]) as u32))
    }

    /// One reply for each of `numbers`, in their order.
    fn receive(&mut self, numbers: impl Iterator<Item = usize>) -> Result<Vec<View>> {
        let mut view = |number| {
            let (server, place) = self.place(number)?;
            let view = self.servers[server].receive(place as usize)?;
            Ok(View { number, ..view })
        };
        numbers.map(&mut view).collect()
    }
}

impl Environment for Children {
    fn count(&self) -> usize {
        self.firsts[self.servers.len()]
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn reset(&mut self, starts: &[(usize, u64)]) -> Result<Vec<View>> {
        for (number, seed) in starts {
            let (server, place) = self.place(*number)?;
            self.servers[server].send(&protocol::reset(place, *seed))?;
        }
        self.receive(starts.iter().map(|start| start.0))
    }

    fn step(&mut self, actions: &[(usize, [f32; 3])]) -> Result<Vec<View>> {
        let mut shares = vec![Vec::new(); self.servers.len()];
        for (number, action) in actions {
            let (server, place) = self.place(*number)?;
            shares[server].push((place, *action));
        }
        for (server, share) in self.servers.iter_mut().zip(shares).filter(|(_, share)| !share.is_empty()) {
            server.send(&protocol::step(&share))?;
        }
        self.receive(actions.iter().map(|action| action.0))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        // All are asked before the first is waited for.
        self.servers.iter_mut().for_each(Server::close);
    }
}
