"""The push scene: arm, table and a 4 cm block."""

from __future__ import annotations

import mujoco as mj

from sim.sawyer import ARM, OBJECT_ON_HAND, PAD, add_sawyer

BLOCK_HALF = 0.02  # [m]
BLOCK_MASS = 0.15  # [kg]
BLOCK_FRICTION = (0.6, 0.02, 0.0005)
# MuJoCo takes the larger coefficient of the two bodies, so the block slides on the table with 1.0.
TABLE_FRICTION = (1.0, 0.02, 0.0005)
PHYSICS_STEP = 0.005  # [s]


def push_spec() -> mj.MjSpec:
    """Return arm, table at z = 0 and the free block (geom and joint `object`, geom `table`)."""
    spec = mj.MjSpec()
    spec.modelname = "push"
    set_options(spec)
    world = spec.worldbody
    world.add_light(pos=(0.5, 0, 2), dir=(0, 0, -1), type=mj.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=True)
    world.add_geom(
        name="table", type=mj.mjtGeom.mjGEOM_PLANE, size=(0.6, 0.6, 0.01), pos=(0.7, 0, 0), contype=0,
        conaffinity=PAD | ARM, friction=TABLE_FRICTION, rgba=(0.6, 0.5, 0.4, 1),
    )
    add_sawyer(spec)
    block = world.add_body(name="object", pos=(0.5, 0, BLOCK_HALF))
    block.add_freejoint(name="object")
    block.add_geom(
        name="object", type=mj.mjtGeom.mjGEOM_BOX, size=(BLOCK_HALF,) * 3, mass=BLOCK_MASS,
        contype=ARM | OBJECT_ON_HAND, conaffinity=PAD, condim=4, friction=BLOCK_FRICTION, rgba=(0.9, 0.2, 0.1, 1),
    )
    return spec


def set_options(spec: mj.MjSpec) -> None:
    """Give `spec` the physics of every scene: step, integrator, contacts, solver, light."""
    spec.compiler.degree = False  # the default reads joint ranges as degrees
    option = spec.option
    option.timestep = PHYSICS_STEP
    option.integrator = mj.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mj.mjtCone.mjCONE_PYRAMIDAL
    option.solver = mj.mjtSolver.mjSOL_NEWTON
    # Dense is faster for these 15 degrees of freedom, and MuJoCo 4.0.0 diverges with a sparse one.
    option.jacobian = mj.mjtJacobian.mjJAC_DENSE
    # A diverged world must stay visibly diverged: by default MuJoCo puts it back to the start without a word.
    option.disableflags |= mj.mjtDisableBit.mjDSBL_AUTORESET
    # One arm and one block make one island or two tiny ones: finding them costs 9 % and changes nothing.
    option.disableflags |= mj.mjtDisableBit.mjDSBL_ISLAND
    spec.visual.headlight.ambient = (0.5, 0.5, 0.5)
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 1024, 4
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 16, 12
