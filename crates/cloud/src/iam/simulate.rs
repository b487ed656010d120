//! SimulatePrincipalPolicy.
/// x
pub struct Decision;
/// x
pub struct Simulated;
/// x
pub struct Simulation;
