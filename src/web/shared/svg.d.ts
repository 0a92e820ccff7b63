/** A picture is imported by its address: the bundler gives it a name that changes with its content. */
declare module "*.svg" {
  const address: string;
  export default address;
}
