"""One module a paper. Each offers what `lib.run` asks for:

ROLES: the roles of a collection that it needs.
VARIANTS: name -> frozen dataclass, the rows of the paper's tables.
PROFILES: name -> frozen dataclass, sizes and lengths; `frames` limits the frames of a part, and
    `train_frames` and `test_frames`, where there are such, thin it evenly.
roles(variant) -> the ROLES that one variant needs; without it, all.
build(variant, profile, data, seed) -> trainer with

    steps, samples_per_step, parameters     numbers
    test_roles                              roles it is evaluated on
    step(i) -> {loss: scalar tensor}        one update, nothing read back from the device
    predict(role) -> (N, J, 3)              root-centred test poses in mm, and the scale they were given
    score(role) -> metrics, error (J,)      instead of predict, where there are no 3D poses
    diagnose(role) -> ({name: float}, {name: (N,) tensor})
    figures(role) -> {name: tensor}         optional: what the figures show of a role
    precision                               optional: of its networks, if not float32
    initialisation                          optional: of its networks, if not from scratch
    state_dict(), load_state_dict(state)    tensors, numbers, lists and dictionaries alone

`data` maps a role to {"train": Poses, "test": Poses}. Modules of this package never read files.
"""
