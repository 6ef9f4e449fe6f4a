"""A component that calculates what virtual hardware holds. What it says is arithmetic, and it says so each time."""

from fractions import Fraction
from typing import Annotated, Any

from components.capacity.plan import FORMULAS, Cluster, Impossible, Machine, Reading, Storage, fit
from components.kit import Between, Component, Rejected

BASIS = "arithmetic, not a measurement; whole machines, node by node"
MOST_NODES, MOST_VCPUS, MOST_GIB = 10_000, 4_096, 1_000_000
SMALLEST = 0.001
MOST_LOST = 0.99

capacity = Component(title="Capacity of virtual hardware (arithmetic)", kind="calculator", version="1.0")

Nodes = Annotated[int, Between(1, MOST_NODES)]
Vcpus = Annotated[int, Between(1, MOST_VCPUS)]
Size = Annotated[float, Between(SMALLEST, MOST_GIB)]
Taken = Annotated[float, Between(0, MOST_GIB)]
Part = Annotated[float, Between(0, MOST_LOST)]


@capacity.command()
async def plan(
    *,
    nodes: Nodes = 13,
    vcpus: Vcpus = 128,
    memory_gib: Size = 2048,
    reserved: Part = 0.2,
    overhead_gib: Taken = 72,
    control_plane_gib: Taken = 24,
    memory_reading: Reading = Reading.OVERHEAD_PER_NODE,
    overcommit: Annotated[float, Between(1, 64)] = 1,
    storage_nodes: Nodes = 16,
    drives: Annotated[int, Between(1, 1_000)] = 10,
    drive_tib: Annotated[float, Between(SMALLEST, 1_000)] = 7.68,
    replicas: Annotated[int, Between(1, 16)] = 3,
    storage_overhead: Part = 0.1,
    machine_vcpus: Vcpus = 16,
    machine_memory_gib: Size | None = None,
    machine_storage_gib: Size | None = None,
    base_ghz: Annotated[float, Between(0.1, 20)] = 2.20,
    threads_per_core: Annotated[int, Between(1, 8)] = 2,
) -> dict[str, Any]:
    """Calculate what nodes and drives hold, and how many machines of one size fit.

    vcpus, memory_gib and overhead_gib are of one node. A machine's memory and storage limit what fits once they are
    given; how much a machine needs is nothing that could be assumed.
    """
    cluster = Cluster(
        nodes=nodes,
        vcpus=vcpus,
        memory_gib=_exact(memory_gib),
        reserved=_exact(reserved),
        overhead_gib=_exact(overhead_gib),
        control_plane_gib=_exact(control_plane_gib),
        overcommit=_exact(overcommit),
    )
    storage = Storage(
        nodes=storage_nodes,
        drives=drives,
        drive_tib=_exact(drive_tib),
        replicas=replicas,
        overhead=_exact(storage_overhead),
    )
    machine = Machine(
        vcpus=machine_vcpus,
        memory_gib=None if machine_memory_gib is None else _exact(machine_memory_gib),
        storage_gib=None if machine_storage_gib is None else _exact(machine_storage_gib),
        base_ghz=_exact(base_ghz),
        threads_per_core=threads_per_core,
    )
    try:
        cluster.check(memory_reading)
        storage.check()
        machine.check(cluster)
    except Impossible as error:
        raise Rejected(f"Impossible: {error}") from error
    return {
        "basis": BASIS,
        **_totals(cluster, memory_reading),
        "storage_raw_tib": _told(storage.raw_tib),
        "storage_replicated_tib": _told(storage.replicated_tib),
        "storage_usable_tib": _told(storage.usable_tib),
        "machine_ghz": _told(machine.ghz),
        **_machines(machine, cluster, storage, memory_reading),
    }


def _totals(cluster: Cluster, reading: Reading) -> dict[str, Any]:
    """What there is to give, and what the other readings of the memory would give."""
    others = {f"memory_gib_read_{each.name.lower()}": _told(cluster.memory_to_give(each)) for each in Reading}
    return {
        "vcpus_raw": cluster.nodes * cluster.vcpus,
        "vcpus_to_give": _told(cluster.vcpus_to_give),
        "memory_reading": reading.value,
        "memory_formula": FORMULAS[reading],
        "memory_gib": _told(cluster.memory_to_give(reading)),
        **others,
    }


def _machines(machine: Machine, cluster: Cluster, storage: Storage, reading: Reading) -> dict[str, Any]:
    """How many fit, and what is left of that when a node fails."""
    fits, smaller = fit(machine, cluster, storage, reading), cluster.without_one_node()
    still_fits = fit(machine, smaller, storage, reading)
    full = Fraction(fits.machines * machine.vcpus, cluster.nodes * cluster.vcpus)
    return {
        **{f"machines_by_{name}": machines for name, machines in fits.by.items()},
        "machines": fits.machines,
        "limit": fits.limit,
        "vcpus_per_thread_when_full": _told(full),
        "one_node_down_vcpus_to_give": _told(smaller.vcpus_to_give),
        "one_node_down_memory_gib": _told(smaller.memory_to_give(reading)),
        "one_node_down_machines": still_fits.machines,
        "one_node_down_limit": still_fits.limit,
    }


def _exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth, and not the nearest double."""
    return Fraction(str(number))


def _told(number: Fraction) -> float:
    return round(float(number), 2)
