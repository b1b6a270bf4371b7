"""Do a whole run of the default recipe on a few prompts and read its pairs: no GPU, no download.

python examples/grow_and_read.py [FOLDER]
"""

import sys

from evolve import grow, load_recipe


def main(folder: str = "runs/example") -> None:
    recipe = load_recipe("default", {"prompts.limit": 6, "evolve.strategies": ["constraints", "breadth"]})
    dataset = grow(recipe, folder)
    for pair in dataset.pairs():
        print(f"\n{pair['source']}: {pair['prompt'][-1]['content']}")
        print(f"  + {pair['score_chosen']:6.3f}  {pair['chosen'][0]['content']}")
        print(f"  - {pair['score_rejected']:6.3f}  {pair['rejected'][0]['content']}")
    print(f"\n{dataset.folder}: {dataset.manifest['rows']['train']['kept']} pairs")


if __name__ == "__main__":  # the engine starts a process, which imports this file
    main(*sys.argv[1:])
