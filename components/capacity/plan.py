"""What a cluster of virtual machines holds. Arithmetic in exact fractions: it measures nothing and rounds nothing.

A vCPU is a hardware thread. A machine does not span nodes, so what fits is counted in whole machines on one node, times
the nodes; the control plane is shared by all of them alike. Storage is one pool, on nodes of its own.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

GIB_IN_A_TIB = 1024


class Impossible(Exception):
    """No such cluster can be. The text says what to change."""


class Reading(enum.StrEnum):
    """How often overhead and control plane are taken, and of what the reserve is a part.

    The words "20% reserved, 72 GiB overhead a node, 24 GiB control plane" have been read in all four ways.
    """

    UNBRACKETED = "unbracketed"
    """As a formula without brackets is read: the reserve shortens the overhead alone, so that more of it leaves more.
    That is hardly what anybody wants. It is here to recognise a number that came about so."""
    ONCE = "once"
    OVERHEAD_PER_NODE = "overhead-per-node"
    ALL_PER_NODE = "all-per-node"


FORMULAS: Mapping[Reading, str] = MappingProxyType(
    {
        Reading.UNBRACKETED: "nodes × memory_gib - control_plane_gib - overhead_gib × (1 - reserved)",
        Reading.ONCE: "(nodes × memory_gib - overhead_gib - control_plane_gib) × (1 - reserved)",
        Reading.OVERHEAD_PER_NODE: "(nodes × (memory_gib - overhead_gib) - control_plane_gib) × (1 - reserved)",
        Reading.ALL_PER_NODE: "nodes × (memory_gib - overhead_gib - control_plane_gib) × (1 - reserved)",
    }
)
"""The readings in the words of the command. The tests calculate with them as they stand here.

Their source told four results and no formula: 26,542, 21,222, 20,531 and 20,301 GiB. These give them, rounded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes that machines run on."""

    nodes: int
    vcpus: int
    """Of one node."""
    memory_gib: Fraction
    """Of one node."""
    reserved: Fraction
    """The part of vCPUs and memory that is kept free."""
    overhead_gib: Fraction
    control_plane_gib: Fraction
    overcommit: Fraction
    """vCPUs that are given away for one that is there. Memory is never given away twice."""

    @property
    def vcpus_to_give(self) -> Fraction:
        """Of all nodes."""
        return self.nodes * self._vcpus_of_a_node

    def memory_to_give(self, reading: Reading) -> Fraction:
        """Of all nodes, in GiB. It is nothing where more is taken than there is."""
        return max(Fraction(0), self._memory_left(reading))

    def machines_by_vcpus(self, size: int) -> int:
        """So many machines of this size have the vCPUs they need."""
        return self.nodes * math.floor(self._vcpus_of_a_node / size)

    def machines_by_memory(self, size_gib: Fraction, reading: Reading) -> int:
        """So many machines of this size have the memory they need."""
        if not self.nodes:
            return 0
        return self.nodes * math.floor(self.memory_to_give(reading) / self.nodes / size_gib)

    def without_one_node(self) -> "Cluster":
        """What is left when a node fails."""
        return replace(self, nodes=self.nodes - 1)

    def check(self, reading: Reading) -> None:
        """Raise Impossible where nothing would be left to run on."""
        if self.overhead_gib >= self.memory_gib:
            raise Impossible(
                f"overhead_gib {shown(self.overhead_gib)} leaves nothing of memory_gib {shown(self.memory_gib)}. "
                "Both are of one node: give less overhead or more memory."
            )
        if self._memory_left(reading) <= 0:
            raise Impossible(
                f"control_plane_gib {shown(self.control_plane_gib)} leaves no memory on {self.nodes} nodes, "
                f"read as {reading}. Give a smaller control plane, or more nodes or memory."
            )

    @property
    def _vcpus_of_a_node(self) -> Fraction:
        return self.vcpus * (1 - self.reserved) * self.overcommit

    def _memory_left(self, reading: Reading) -> Fraction:
        everything, left = self.nodes * self.memory_gib, 1 - self.reserved
        match reading:
            case Reading.UNBRACKETED:
                return everything - self.control_plane_gib - self.overhead_gib * left
            case Reading.ONCE:
                return (everything - self.overhead_gib - self.control_plane_gib) * left
            case Reading.OVERHEAD_PER_NODE:
                return (everything - self.nodes * self.overhead_gib - self.control_plane_gib) * left
            case Reading.ALL_PER_NODE:
                return (everything - self.nodes * (self.overhead_gib + self.control_plane_gib)) * left


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A pool of drives that keeps everything several times."""

    nodes: int
    drives: int
    """Of one node."""
    drive_tib: Fraction
    """What is sold as 7.68 TB has 6.985 TiB."""
    replicas: int
    overhead: Fraction
    """The part that is lost after replication."""

    @property
    def raw_tib(self) -> Fraction:
        """Of all drives."""
        return self.nodes * self.drives * self.drive_tib

    @property
    def replicated_tib(self) -> Fraction:
        """When everything is kept so many times."""
        return self.raw_tib / self.replicas

    @property
    def usable_tib(self) -> Fraction:
        """After the overhead, too."""
        return self.replicated_tib * (1 - self.overhead)

    def machines(self, size_gib: Fraction) -> int:
        """So many machines of this size have the storage they need."""
        return math.floor(self.usable_tib * GIB_IN_A_TIB / size_gib)

    def check(self) -> None:
        """Raise Impossible where two replicas would lie on one node."""
        if self.replicas > self.nodes:
            raise Impossible(
                f"{self.replicas} replicas need as many storage_nodes, and there are {self.nodes}: "
                "two on one node are lost together."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A virtual machine. A size that is not given limits nothing."""

    vcpus: int
    memory_gib: Fraction | None
    storage_gib: Fraction | None
    base_ghz: Fraction
    threads_per_core: int

    @property
    def ghz(self) -> Fraction:
        """Of all its vCPUs at the base clock: threads of one core share that."""
        return self.vcpus * self.base_ghz / self.threads_per_core

    def check(self, cluster: Cluster) -> None:
        """Raise Impossible where even an empty node is too small. Overcommitment does not help one machine."""
        if self.vcpus > cluster.vcpus:
            raise Impossible(f"machine_vcpus {self.vcpus} is more than a node has: vcpus is {cluster.vcpus}.")
        if self.memory_gib is not None and self.memory_gib > cluster.memory_gib:
            raise Impossible(
                f"machine_memory_gib {shown(self.memory_gib)} is more than a node has: "
                f"memory_gib is {shown(cluster.memory_gib)}."
            )


@dataclass(frozen=True, slots=True)
class Fit:
    """How many machines fit, by each thing that they need."""

    by: Mapping[str, int]

    @property
    def machines(self) -> int:
        """As many as fit by everything."""
        return min(self.by.values())

    @property
    def limit(self) -> str:
        """What there is least of."""
        return " and ".join(name for name, machines in self.by.items() if machines == self.machines)


def fit(machine: Machine, cluster: Cluster, storage: Storage, reading: Reading) -> Fit:
    """How many of these machines fit."""
    by = {"vcpus": cluster.machines_by_vcpus(machine.vcpus)}
    if machine.memory_gib is not None:
        by["memory"] = cluster.machines_by_memory(machine.memory_gib, reading)
    if machine.storage_gib is not None:
        by["storage"] = storage.machines(machine.storage_gib)
    return Fit(by)


def shown(number: Fraction) -> str:
    """A number in a sentence."""
    return f"{float(number):,.10g}"
