//! Compares recorded episodes with ours, step by step.

use super::recording::{COLUMNS, Episode, Recording, State};
use super::{Racing, STEP_LIMIT};

/// What is compared: the columns of a state, then the tiles of the track, its ends and the return.
pub const MEASURES: [&str; 11] =
    ["x", "y", "angle", "vx", "vy", "angular", "reward", "tiles_visited", "tiles", "track", "return"];

/// The greatest error of each of [`MEASURES`] that counts as equal.
pub const BOUNDS: [f64; 11] = [1e-4, 1e-4, 1e-4, 1e-2, 1e-2, 1e-2, 0.01, 0.0, 0.0, 1e-4, 0.01];

/// How a recorded episode compares with ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The seed of the episode.
    pub seed: u64,
    /// What drives, if the recording says so.
    pub kind: String,
    /// Steps until the end of our episode.
    pub steps: usize,
    /// States that were compared.
    pub states: usize,
    /// The greatest error of each of [`MEASURES`]: absolute differences.
    pub worst: [f64; 11],
    /// The first state with a column past its bound: the number of its action.
    pub first_past: Option<usize>,
    /// The actions fit as doubles and not as the floats of gymnasium's action space.
    pub doubles: bool,
}

impl Replay {
    /// The measures past their bounds.
    pub fn past(&self) -> impl Iterator<Item = &'static str> {
        let past = |&i: &usize| !within(self.worst[i], i);
        (0..MEASURES.len()).filter(past).map(|i| MEASURES[i]).collect::<Vec<_>>().into_iter()
    }
}

/// Whether `error` of measure `i` counts as equal.
fn within(error: f64, i: usize) -> bool {
    error <= BOUNDS[i]
}

/// Replay every episode of `recording`.
///
/// Actions are rounded to single precision, which is that of gymnasium's action space. A program may have handed doubles to
/// gymnasium, which takes them: where rounded actions are past a bound and doubles are not, the doubles count.
pub fn check(recording: &Recording) -> Vec<Replay> {
    let replay = |episode: &Episode| {
        let rounded = replay(episode, false);
        if rounded.past().next().is_none() {
            return rounded;
        }
        let doubles = replay(episode, true);
        if doubles.past().next().is_none() { doubles } else { rounded }
    };
    recording.episodes.iter().map(replay).collect()
}

fn replay(episode: &Episode, doubles: bool) -> Replay {
    let mut racing = Racing::new(episode.seed);
    let mut worst = [0.0; 11];
    let tiles = &racing.track().tiles;
    let ends = [(tiles.first(), &episode.track_first), (tiles.last(), &episode.track_last)];
    for (tile, point) in ends {
        if let (Some(tile), Some(point)) = (tile, point) {
            let ours = [tile.alpha, tile.beta, tile.x, tile.y];
            worst[9] = ours.iter().zip(point).map(|(a, b)| (a - b).abs()).fold(worst[9], f64::max);
        }
    }
    worst[8] = tiles.len().abs_diff(episode.tiles) as f64;

    let mut states = episode.states.iter().peekable();
    let last = episode.states.last().map_or(0, |state| state.step);
    let (mut total, mut first_past) = (0.0, None);
    // Steps and return of the episode, without what a recording may hold after its end.
    let (mut end, mut limited) = (None, f64::NAN);
    for (step, action) in episode.actions.iter().enumerate() {
        if step > last && end.is_some() {
            break;
        }
        // gymnasium may have ended a longer episode here: its return is then that of these steps.
        if step == STEP_LIMIT && last < STEP_LIMIT {
            limited = total;
        }
        let outcome = if doubles { racing.step_with(*action) } else { racing.step(action.map(|x| x as f32)) };
        total += outcome.reward;
        if outcome.terminated && end.is_none() {
            end = Some((step + 1, total));
        }
        let Some(state) = states.next_if(|state| state.step == step) else { continue };
        let errors = errors(&racing, outcome.reward, state);
        for (i, error) in errors.into_iter().enumerate() {
            worst[i] = worst[i].max(error);
            if !within(error, i) {
                first_past.get_or_insert(step);
            }
        }
    }
    let (steps, ended) = end.unwrap_or((episode.actions.len(), total));
    worst[10] = [ended, limited]
        .map(|sum| (sum - episode.total).abs())
        .into_iter()
        .fold((total - episode.total).abs(), f64::min);
    Replay {
        seed: episode.seed,
        kind: episode.kind.clone(),
        steps,
        states: episode.states.len(),
        worst,
        first_past,
        doubles,
    }
}

/// The differences of the columns of `state` from ours.
fn errors(racing: &Racing, reward: f64, state: &State) -> [f64; COLUMNS.len()] {
    let hull = racing.car().hull;
    let pose = [hull.x, hull.y, hull.angle, hull.vx, hull.vy, hull.angular].map(f64::from);
    let [x, y, angle, vx, vy, angular] = pose;
    let ours = [x, y, angle, vx, vy, angular, reward, racing.visits() as f64];
    std::array::from_fn(|i| (ours[i] - state.values[i]).abs())
}
