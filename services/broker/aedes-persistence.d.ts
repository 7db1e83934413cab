/** The package has these types, but not beside the module that they describe. */
declare module "aedes-persistence/asyncPersistence.js" {
  import MemoryPersistence = require("aedes-persistence/types/asyncPersistence.js");
  export = MemoryPersistence;
}
