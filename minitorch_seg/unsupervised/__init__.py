"""Segmentation without labels that is no network's forward pass: clustering, features, pre-training."""

from minitorch_seg.unsupervised.cluster_image import cluster_image
from minitorch_seg.unsupervised.code_clusters import CodeClusters
from minitorch_seg.unsupervised.features import blurred, code_features
from minitorch_seg.unsupervised.kmeans import as_points, kmeans, nearest
from minitorch_seg.unsupervised.point_clusters import PointClusters
from minitorch_seg.unsupervised.pretrain import pretrain
from minitorch_seg.unsupervised.self_taught import SelfTaught

#: What is fitted to a data set and then predicts images, by the names that the command line knows.
METHODS = {"self_taught": SelfTaught, "code_clusters": CodeClusters}

__all__ = [
    "METHODS",
    "CodeClusters",
    "PointClusters",
    "SelfTaught",
    "as_points",
    "blurred",
    "cluster_image",
    "code_features",
    "kmeans",
    "nearest",
    "pretrain",
]
