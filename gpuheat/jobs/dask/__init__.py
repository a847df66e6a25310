"""The same counts on a cluster of Dask: parts of videos, and recordings, are handed to its workers.

Needs the extra ``dask``.
"""

from gpuheat.jobs.dask.progress import ClusterProgress
from gpuheat.jobs.dask.recordings import fixations
from gpuheat.jobs.dask.videos import motion

__all__ = ["ClusterProgress", "fixations", "motion"]
