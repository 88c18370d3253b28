// The torch that the library was built for, readable in the file without loading it (mmdet/ops/extension.py does).
#include <torch/version.h>

#define MEMCNP_TEXT(number) #number
#define MEMCNP_NUMBER(macro) MEMCNP_TEXT(macro)

extern "C" __attribute__((visibility("default"), used)) const char memcnp_built_for[] =
    "memcnp ops built for torch " MEMCNP_NUMBER(TORCH_VERSION_MAJOR) "." MEMCNP_NUMBER(TORCH_VERSION_MINOR);
