//! V, M and C on a device: from what each car sees to its next action.

use super::controller::Inputs;
use super::memory::{Memory, Parameters};
use super::racing::{ROAD_WORDS, SCENE_WORDS};
use crate::device::OpenDevice;
use crate::graph::{Graph, Init, Mode, ProgramSpec, Setting, Shape, Tensors, ValueId, lower};
use crate::model::{LatentModel, Reparametrized, Task};
use crate::plan::{Plan, Port, Step};
use crate::run::Weights;
use crate::session::{Host, MAX_STEPS};
use crate::{Error, Result};
use std::path::Path;

const ACT: &str = "act";
/// The state that holds h and c of every car.
const CARRY: &str = "carry";

/// What V sees by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Pictures that the device draws, of scenes and roads.
    Scenes,
    /// Frames that the host writes.
    Frames,
}

/// What an agent is made of.
#[derive(Clone, Debug)]
pub struct Mind {
    /// V.
    pub vision: Task,
    /// Its parameters.
    pub weights: Weights,
    /// M; `None` where C does not need it.
    pub memory: Option<Parameters>,
    /// What C sees.
    pub inputs: Inputs,
}

impl Mind {
    /// Latent dimensions of V.
    ///
    /// # Errors
    /// [`Error::Setting`] if V has no latents.
    pub fn latent(&self) -> Result<usize> {
        Ok(self.latents()?.groups().first().map_or(0, |group| group.width))
    }

    fn latents(&self) -> Result<&dyn LatentModel> {
        self.vision.density("vae world")
    }

    /// Units of M; 0 without it.
    fn hidden(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.config.hidden)
    }

    /// Parameters of C.
    ///
    /// # Errors
    /// As [`Mind::latent`].
    pub fn parameters(&self) -> Result<usize> {
        Ok(self.inputs.parameters(self.latent()?, self.hidden()))
    }
}

/// The values that an agent exchanges with the host.
#[derive(Debug)]
struct Ports {
    seen: Vec<Port>,
    weights: Port,
    actions: Port,
    latents: Port,
}

/// V, M and C for a number of cars. Each car has its weights of C and its state of M.
#[derive(Debug)]
pub struct Agent {
    host: Host,
    ports: Ports,
    cars: usize,
    /// Numbers of M's state: h and c.
    carried: usize,
}

/// The graph of an agent, and the values that the host writes and reads.
struct Acting {
    graph: Graph,
    seen: Vec<ValueId>,
    weights: ValueId,
    actions: ValueId,
    latents: ValueId,
    carry: Option<ValueId>,
}

impl Acting {
    /// z is drawn from V's posterior, C acts on z and on h as it was before this step, and M sees both (Ha and Schmidhuber
    /// 2018, section 2.4, "Putting everything together").
    fn build(mind: &Mind, tensors: &Tensors, cars: usize, sight: Sight) -> Result<Self> {
        let mut graph = Graph::new(tensors, Mode::Evaluate);
        let model = mind.latents()?;
        let (seen, pictures) = match sight {
            Sight::Frames => {
                let frames = graph.input("frames", Shape::matrix(cars, model.pixels()));
                (vec![frames], frames)
            }
            Sight::Scenes => {
                let scene = graph.input("scene", Shape::matrix(cars, SCENE_WORDS));
                let road = graph.input("road", Shape::matrix(cars, ROAD_WORDS));
                (vec![scene, road], graph.racing_pictures(scene, road, cars)?)
            }
        };
        let mut draw = Reparametrized { samples: 1, weights: None };
        let inferred = model.infer(&mut graph, pictures, &mut draw)?;
        let Some(first) = inferred.groups.first() else {
            return Err(Error::Internal("a model without latents".into()));
        };
        let z = first.drawn.z;
        let shape = Shape::matrix(cars, mind.parameters()?);
        let weights = graph.input("controller", shape);
        let Some(memory) = &mind.memory else {
            let actions = mind.inputs.controls(&mut graph, z, weights)?;
            return Ok(Self { graph, seen, weights, actions, latents: z, carry: None });
        };
        let (memory, hidden) = (Memory { config: memory.config }, mind.hidden());
        let carry = graph.state(CARRY, Shape::with_sections(cars, 2, hidden), Init::Constant(0.0))?;
        let h = graph.take_section("h", carry, 0)?;
        let features = graph.concat("features", &[z, h])?;
        let actions = mind.inputs.controls(&mut graph, features, weights)?;
        let next = memory.network(&mut graph, [z, actions], 1, Some(carry))?.carry;
        let carry = Some(graph.update(carry, next, 1.0)?);
        Ok(Self { graph, seen, weights, actions, latents: z, carry })
    }

    fn plan(&self) -> Result<Plan> {
        let given: Vec<ValueId> = self.seen.iter().copied().chain([self.weights]).collect();
        let wanted: Vec<ValueId> = [self.actions, self.latents].into_iter().chain(self.carry).collect();
        let setting = Setting { train_images: 0, test_images: 0, max_steps: MAX_STEPS, streamed: false };
        Ok(lower(&self.graph, &[ProgramSpec::new(ACT, &given, &wanted)], setting)?.with_shared_memory())
    }
}

/// The parameters of V and M in the layout of the flat buffer of `tensors`.
fn parameters(tensors: &Tensors, mind: &Mind) -> Result<Vec<f32>> {
    let mut flat = vec![0.0; tensors.length()];
    for tensor in tensors.all().into_iter().filter(|tensor| !tensor.name.starts_with("memory.")) {
        match mind.weights.get(&tensor.name) {
            Some((shape, values)) if *shape == tensor.shape => tensor.put(&mut flat, values),
            _ => {
                let problem = format!("no file holds {} of shape {:?}", tensor.name, tensor.shape);
                return Err(Error::Internal(problem));
            }
        }
    }
    if let Some(memory) = &mind.memory {
        memory.put(tensors, &mut flat, Path::new("memory"))?;
    }
    Ok(flat)
}

impl Agent {
    /// An agent for `cars` cars.
    ///
    /// # Errors
    /// [`Error::Limit`] if a tensor is larger than the device allows; [`Error::Checkpoint`] if a parameter is missing; else if
    /// the device fails.
    pub fn open(device: &OpenDevice, mind: &Mind, cars: usize, sight: Sight) -> Result<Self> {
        let tensors = Tensors::default();
        let acting = Acting::build(mind, &tensors, cars, sight)?;
        let plan = acting.plan()?;
        let name = |value: ValueId| acting.graph.value(value).name.clone();
        let mut host = Host::open(device, plan, MAX_STEPS)?;
        let ports = Ports {
            seen: acting.seen.iter().map(|&value| host.port(&name(value))).collect::<Result<_>>()?,
            weights: host.port(&name(acting.weights))?,
            actions: host.port(&name(acting.actions))?,
            latents: host.port(&name(acting.latents))?,
        };
        let flat = parameters(&tensors, mind)?;
        let buffer = host.buffer("parameters")?;
        host.write_flat(buffer, &flat)?;
        Ok(Self { host, ports, cars, carried: 2 * mind.hidden().next_multiple_of(4) })
    }

    /// Cars.
    pub fn cars(&self) -> usize {
        self.cars
    }

    /// Begin an episode of `car`: with these weights of C, on this road if it sees by scenes, and with M at rest.
    ///
    /// # Errors
    /// If the device fails.
    pub fn begin(&mut self, car: usize, weights: &[f32], road: Option<&[u32]>) -> Result<()> {
        self.write_row(&self.ports.weights.clone(), car, bytemuck::cast_slice(weights))?;
        if let (Some(road), [_, port]) = (road, &self.ports.seen[..]) {
            self.write_row(&port.clone(), car, road)?;
        }
        self.set_carry(car, &vec![0.0; self.carried])
    }

    fn write_row(&mut self, port: &Port, row: usize, words: &[u32]) -> Result<()> {
        let stride = port.strides[0];
        let mut padded = words.to_vec();
        padded.resize(stride, 0);
        self.host.write_at(port.buffer, row * stride, &padded)
    }

    /// M's state for `car`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn carry(&mut self, car: usize) -> Result<Vec<f32>> {
        let Some(buffer) = self.host.plan().buffer(&format!("state.{CARRY}")) else { return Ok(Vec::new()) };
        let words = self.host.read_at(buffer, car * self.carried, self.carried)?;
        Ok(bytemuck::allocation::cast_vec(words))
    }

    /// Set it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn set_carry(&mut self, car: usize, values: &[f32]) -> Result<()> {
        match self.host.plan().buffer(&format!("state.{CARRY}")) {
            Some(buffer) => self.host.write_at(buffer, car * self.carried, bytemuck::cast_slice(values)),
            None => Ok(()),
        }
    }

    /// The next action of every car: steering, gas, brake. `seen` holds the scenes, `[cars, SCENE_WORDS]`, or the frames, from
    /// 0 to 1, `[cars, 64 * 64 * 3]`, as words; `step` gives the noise of z.
    ///
    /// # Errors
    /// If the device fails.
    pub fn act(&mut self, seen: &[u32], step: Step) -> Result<Vec<[f32; 3]>> {
        let port = &self.ports.seen[0];
        let ([_, _, columns], [stride, _]) = (port.shape, port.strides);
        let buffer = port.buffer;
        if columns == stride {
            self.host.write_words(buffer, seen)?;
        } else {
            let rows = seen.chunks(columns);
            let padded =
                rows.flat_map(|row| row.iter().copied().chain(vec![0; stride - columns])).collect::<Vec<_>>();
            self.host.write_words(buffer, &padded)?;
        }
        self.host.submit(ACT, &[Step { rows: self.cars as u32, ..step }])?;
        self.host.receive(0)?;
        let actions = self.host.read_rows(&self.ports.actions.clone(), self.cars)?.swap_remove(0);
        Ok(actions.chunks_exact(3).map(|action| [action[0], action[1], action[2]]).collect())
    }

    /// The latents that the last actions were chosen by, `[cars, latent]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn latents(&mut self) -> Result<Vec<f32>> {
        Ok(self.host.read_rows(&self.ports.latents.clone(), self.cars)?.swap_remove(0))
    }
}
