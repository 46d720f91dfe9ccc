"""MuJoCo lives here and only here: scenes, the batch simulator, the twin and their renderers."""
