//! World Models (Ha and Schmidhuber, "World models", 2018): an environment, the models that learn it, and the controller
//! that drives by them.

pub mod cmaes;
